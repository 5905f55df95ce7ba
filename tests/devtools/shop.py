"""A program's slices, as a file of the tools has them imported."""

from dataclasses import dataclass

from crdtstore import Counter, Map, Text, create_slice


@dataclass
class Shop:
    name: str = ""
    sold: Counter = Counter(0)
    prices: Map[int] = Map()
    notes: Text = Text("hello")


shop = create_slice(name="shop", initial_state=Shop())
staff = create_slice(name="staff", initial_state={"boss": ""})


@shop.reducer
def named(state: Shop, name: str, by: str = "") -> None:
    state.name = name


@shop.reducer
def sell(state: Shop) -> None:
    state.sold += 1


@shop.reducer
def price(state: Shop, key: str, cents: int | None = None) -> None:
    state.prices[key] = cents or 0


@shop.reducer
def note(state: Shop, text: str) -> None:
    state.notes.insert(0, text)


@staff.add_case(named)
def hired(state, action) -> None:
    state.boss = action.payload["by"]


slices = [shop, staff]
