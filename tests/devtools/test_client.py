"""The client's side of Redux DevTools' protocol: transcripts, and in memory against our broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import Counter, Store, configure_store, create_slice
from sync.devtools.broker import Broker, Connection
from sync.devtools.client import MAX_TEXT, Client
from sync.devtools.lifted import Instance
from sync.devtools.log import Log
from sync.errors import RemoteProtocolError
from tests.devtools.monitors import Ui


@dataclass
class State:
    n: Counter = Counter(0)
    note: str = ""


counter = create_slice(name="counter", initial_state=State())


@counter.reducer
def inc(state: State, by: int = 1) -> None:
    state.n += by


@counter.reducer
def note(state: State, text: str) -> None:
    state.note = text


@pytest.fixture
def store() -> Iterator[Store]:
    with configure_store([counter]) as made:
        yield made


def client_of(store: Store, name: str = "A", **options: Any) -> Client:
    return Client(Instance(Log(store), store, name=name, instance_id=f"i-{name}"), **options)


def published(channel: str, **data: Any) -> str:
    return json.dumps({"event": "#publish", "data": {"channel": channel, "data": data}})


def started(client: Client, now: float = 0.0) -> None:
    """Bring a client to where it has said START, as ``SID``."""
    client.opened(now)
    client.receive('{"rid":1,"data":{"id":"SID","pingTimeout":30000,"isAuthenticated":false}}')
    client.receive('{"rid":2,"data":"respond"}')
    client.receive('{"rid":3}')
    client.receive('{"rid":4}')


def test_the_beginning_is_that_of_an_official_client(store: Store) -> None:
    """Handshake, login, both channels, START; nothing more until somebody watches."""
    client = client_of(store)
    steps = [
        (client.opened(0), [{"event": "#handshake", "data": {"authToken": None}, "cid": 1}]),
        (
            client.receive('{"rid":1,"data":{"id":"SID","pingTimeout":30000}}'),
            [{"event": "login", "data": "master", "cid": 2}],
        ),
        (
            client.receive('{"rid":2,"data":"respond"}'),
            [
                {"event": "#subscribe", "data": {"channel": "respond"}, "cid": 3},
                {"event": "#subscribe", "data": {"channel": "sc-SID"}, "cid": 4},
            ],
        ),
        (client.receive('{"rid":3}'), []),
        (
            client.receive('{"rid":4}'),
            [
                {
                    "event": "log",
                    "data": {"type": "START", "id": "SID", "name": "A", "instanceId": "i-A"},
                }
            ],
        ),
    ]
    for told, expected in steps:
        assert [json.loads(text) for text in told] == expected
    assert client.id == "SID"
    store.dispatch(inc())
    assert client.poll(1) == []
    assert (client.watched, client.wake_after, client.deadline) == (False, None, None)


def test_a_ping_is_answered(store: Store) -> None:
    """With the same empty text, at any time."""
    client = client_of(store)
    client.opened(0)
    assert client.receive("") == [""]


def test_nothing_is_serialised_until_somebody_watches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not after the last one has left."""
    client = client_of(store)
    asked: list[str] = []
    news = client.instance.news
    monkeypatch.setattr(client.instance, "news", lambda: asked.append("news") or news())
    started(client)
    for now in range(20):
        store.dispatch(inc())
        client.receive("")
        assert client.poll(now) == []
    assert not asked
    client.receive(published("respond", type="START"))
    assert client.watched
    (text,) = client.poll(20)
    message = json.loads(text)
    assert (message["event"], message["data"]["type"]) == ("log", "STATE")
    assert client.wake_after == 20
    client.receive(published("respond", type="STOP"))
    store.dispatch(inc())
    assert client.poll(40) == []
    assert asked == ["news"]


def test_when_a_monitor_leaves_the_others_are_asked(store: Store) -> None:
    """Once for each that leaves, and not if there was none."""
    client = client_of(store)
    started(client)
    assert client.receive(published("respond", type="DISCONNECTED", id="M")) == []
    client.receive(published("respond", type="START"))
    (text,) = client.receive(published("respond", type="DISCONNECTED", id="M"))
    assert json.loads(text)["data"]["type"] == "START"
    assert not client.watched
    client.receive(published("sc-SID", type="START"))
    assert client.watched


def test_news_come_at_once_and_then_together(store: Store) -> None:
    """The first after a while goes out at once; what comes soon after it waits for the interval."""
    client = client_of(store, interval=0.5)
    started(client)
    client.receive(published("respond", type="START"))
    assert len(client.poll(10)) == 1
    store.dispatch(inc())
    assert client.poll(10.1) == []
    assert client.deadline == 10.5
    store.dispatch(inc())
    (text,) = client.poll(10.5)
    assert len(json.loads(json.loads(text)["data"]["action"])) == 2
    assert (client.deadline, client.poll(20)) == (None, [])
    store.dispatch(inc())
    assert len(client.poll(20.1)) == 1


def test_large_news_are_rarer(store: Store) -> None:
    """On average no more is sent than the rate allows."""
    client = client_of(store, interval=0.1, rate=1000)
    started(client)
    client.receive(published("respond", type="START"))
    client.poll(10)
    store.dispatch(note("x" * 10_000))
    (text,) = client.poll(20)
    store.dispatch(inc())
    assert client.poll(20.2) == []
    assert client.deadline == pytest.approx(20 + len(text) / 1000)


def test_a_flood_of_starts_is_one_state(store: Store) -> None:
    """What is asked for while something waits is answered with it."""
    client = client_of(store)
    started(client)
    for _ in range(100):
        assert client.receive(published("respond", type="START")) == []
    assert len(client.poll(10)) == 1


def test_a_message_is_taken_on_both_channels_and_for_this_instance(store: Store) -> None:
    """To all, or to this one; not for another instance, from another channel, or unwatched."""
    client = client_of(store)
    started(client)
    typed = {"type": "ACTION", "action": "{type: 'counter/inc', payload: 1}"}
    client.receive(published("respond", **typed))
    assert store.state.counter.n == 0
    client.receive(published("respond", type="START"))
    client.receive(published("respond", **typed, instanceId="other"))
    client.receive(published("sc-SID", **typed, instanceId="i-A"))
    client.receive(published("sc-SID", **typed))
    assert store.state.counter.n == 3
    client.receive(published("sc-SID", **typed, instanceId="other"))
    client.receive(published("sc-OTHER", **typed, instanceId="i-A"))
    client.receive(published("log", **typed))
    assert store.state.counter.n == 3


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "null",
        "[]",
        "[5, {}]",
        '{"event":"#publish"}',
        '{"event":"#publish","data":{"channel":"respond"}}',
        '{"event":"#publish","data":{"channel":["respond"],"data":{"type":"START"}}}',
        '{"event":"#kickOut","data":{"channel":"respond"}}',
        '{"rid":"4"}',
        '{"rid":99,"data":1}',
        '{"rid":1,"data":{"id":"OTHER"}}',
    ],
)
def test_what_is_not_understood_is_ignored(store: Store, text: str) -> None:
    """A server may say more than this client knows."""
    client = client_of(store)
    started(client)
    assert client.receive(text) == []
    assert not client.watched
    assert client.id == "SID"


def test_several_packets_may_come_in_one_text(store: Store) -> None:
    """A server may send batches."""
    client = client_of(store)
    client.opened(0)
    told = client.receive('[{"rid":1,"data":{"id":"SID"}},{"rid":2,"data":"respond"}]')
    assert [json.loads(text)["event"] for text in told] == ["login", "#subscribe", "#subscribe"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "malformed: expected JSON"),
        ("nonsense", "malformed: expected JSON"),
        ("[" * 100_000, "malformed: expected JSON"),
        ('{"rid":1,"data":{}}', "malformed: expected an id, got"),
        ('{"rid":1}', "malformed: expected an id, got None"),
        ('{"rid":1,"error":{"name":"Bad","message":"no"}}', "refused: request 1:"),
    ],
)
def test_what_is_not_of_this_protocol_ends_it(store: Store, text: str, said: str) -> None:
    """The error says what came."""
    client = client_of(store)
    client.opened(0)
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive(text)
    assert str(caught.value).startswith(said)


def test_a_text_has_a_size(store: Store) -> None:
    """One that is larger is not read."""
    client = client_of(store)
    client.opened(0)
    with pytest.raises(RemoteProtocolError, match="too-large: 100,000,001 characters"):
        client.receive(" " * (MAX_TEXT + 1))


def test_a_server_that_is_silent_is_given_up(store: Store) -> None:
    """After 40 seconds without a text, pings included."""
    client = client_of(store)
    started(client, 100)
    assert client.poll(139) == []
    assert client.poll(170) == []
    client.receive("")
    assert client.poll(175) == []
    assert client.poll(214) == []
    with pytest.raises(RemoteProtocolError, match="timeout: nothing came for 41 s"):
        client.poll(216)


def test_a_reconnect_begins_anew(store: Store) -> None:
    """What was watched is not any more, and the id is the new one."""
    client = client_of(store)
    started(client)
    client.receive(published("respond", type="START"))
    assert client.opened(50) != []
    assert (client.watched, client.id) == (False, "")
    assert client.closing() == []
    assert client.poll(60) == []
    client.receive('{"rid":1,"data":{"id":"NEW"}}')
    client.receive('{"rid":2,"data":"respond"}')
    client.receive('{"rid":4}')
    assert json.loads(client.closing()[0])["data"]["id"] == "NEW"


class Net:
    """Our broker, with clients and monitors at it, in memory."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.now = 0.0
        self.clients: list[tuple[Client, Connection, list[str]]] = []
        self.monitors: list[Watching] = []

    def add(self, client: Client) -> Connection:
        inbox: list[str] = []
        connection = self.broker.connect(inbox.append, lambda: None, self.now)
        self.clients.append((client, connection, inbox))
        for text in client.opened(self.now):
            connection.receive(text, self.now)
        self.run()
        return connection

    def watch(self) -> Watching:
        self.monitors.append(Watching(self))
        self.run()
        return self.monitors[-1]

    def run(self, seconds: float = 1.0) -> None:
        """Let all that is said be heard, and time pass."""
        for now in (self.now, self.now + seconds):
            self.now = now
            for _ in range(10):
                for client, connection, inbox in self.clients:
                    texts = [*inbox]
                    inbox.clear()
                    for text in texts:
                        for answer in client.receive(text):
                            connection.receive(answer, now)
                    for text in client.poll(now):
                        connection.receive(text, now)
                for monitor in self.monitors:
                    monitor.read()


class Watching:
    """A monitor as the UI is one: of its instances, what each shows."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.inbox: list[str] = []
        self.seen: list[str] = []
        self.uis: dict[str, Ui] = {}
        self.connections: dict[str, str] = {}
        self.connection = net.broker.connect(self.inbox.append, lambda: None, net.now)
        self.say("#handshake", {"authToken": None}, 1)
        self.say("login", {}, 2)
        self.say("#subscribe", {"channel": "log"}, 3)
        self.say("#subscribe", {"channel": "report"}, 4)
        self.say("respond", {"type": "START"})

    def say(self, event: str, data: Any, cid: int | None = None) -> None:
        packet = {"event": event, "data": data, **({} if cid is None else {"cid": cid})}
        self.connection.receive(json.dumps(packet), self.net.now)

    def read(self) -> None:
        texts = [*self.inbox]
        self.inbox.clear()
        for text in texts:
            packet = json.loads(text) if text else {}
            if packet.get("event") != "#publish":
                continue
            message = packet["data"]["data"]
            self.seen.append(message["type"])
            if message["type"] == "START":
                self.say(f"sc-{message['id']}", {"type": "START", "id": message["id"]})
            elif message["type"] == "DISCONNECTED":
                gone = [of for of, id in self.connections.items() if id == message["id"]]
                for of in gone:
                    del self.uis[of], self.connections[of]
            else:
                self.connections[message["instanceId"]] = message["id"]
                self.uis.setdefault(message["instanceId"], Ui()).take(message)

    def press(self, of: str, **message: Any) -> None:
        self.say(f"sc-{self.connections[of]}", {**message, "instanceId": of})
        self.net.run()

    def numbers(self, of: str) -> list[int]:
        return [state["counter"]["n"] for state in self.uis[of].shown]


def test_a_monitor_follows_several_stores() -> None:
    """Each in its own view, with what was before and what comes; a press reaches one of them."""
    net = Net()
    with configure_store([counter]) as a, configure_store([counter]) as b:
        net.add(client_of(a, "A"))
        a.dispatch(inc(5))
        ui = net.watch()
        net.add(client_of(b, "B"))
        a.dispatch(inc())
        b.dispatch(inc(10))
        net.run()
        assert (ui.numbers("i-A"), ui.numbers("i-B")) == ([0, 5, 6], [0, 10])
        ui.press("i-B", type="ACTION", action="{type: 'counter/inc', payload: 3}")
        assert (ui.numbers("i-A"), ui.numbers("i-B")) == ([0, 5, 6], [0, 10, 13])
        ui.press("i-B", type="DISPATCH", action={"type": "COMMIT"})
        assert (ui.numbers("i-A"), ui.numbers("i-B")) == ([0, 5, 6], [13])
        ui.say("respond", {"type": "DISPATCH", "action": {"type": "LOCK_CHANGES", "status": True}})
        net.run()
        assert all(each.lifted["isLocked"] for each in ui.uis.values())
        ui.press("i-A", type="ACTION", action="{type: 'counter/inc'}")
        assert ui.uis["i-A"].errors
        assert a.state.counter.n == 6


def test_a_monitor_that_reloads_gets_everything_again(store: Store) -> None:
    """And while it is away nothing is sent."""
    net = Net()
    client = client_of(store)
    net.add(client)
    ui = net.watch()
    store.dispatch(inc())
    net.run()
    ui.connection.closed()
    net.monitors.clear()
    net.run()
    assert not client.watched
    store.dispatch(inc())
    net.run()
    assert client.instance.pending
    assert net.watch().numbers("i-A") == [0, 1, 2]


def test_a_second_monitor_changes_nothing_for_the_first(store: Store) -> None:
    """Both follow, and who stays is not left alone when the other leaves."""
    net = Net()
    client = client_of(store)
    net.add(client)
    one, two = net.watch(), net.watch()
    store.dispatch(inc())
    net.run()
    assert one.numbers("i-A") == two.numbers("i-A") == [0, 1]
    two.connection.closed()
    net.monitors.remove(two)
    net.run()
    store.dispatch(inc())
    net.run()
    assert one.numbers("i-A") == [0, 1, 2]
    assert client.watched


def test_a_store_that_leaves_is_taken_away(store: Store) -> None:
    """When its connection ends, and back when it connects again."""
    net = Net()
    client = client_of(store)
    connection = net.add(client)
    ui = net.watch()
    assert set(ui.uis) == {"i-A"}
    net.clients.clear()
    connection.closed()
    net.run()
    assert set(ui.uis) == set()
    store.dispatch(inc())
    net.add(client)
    net.run()
    assert ui.numbers("i-A") == [0, 1]


def test_many_actions_at_once_are_few_messages(store: Store) -> None:
    """A monitor that watches 2 000 actions in a burst gets them throttled, and ends right."""
    net = Net()
    net.add(client_of(store))
    ui = net.watch()
    ui.seen.clear()
    for _ in range(2000):
        store.dispatch(inc())
    net.run()
    assert len(ui.seen) <= 2
    assert ui.numbers("i-A") == list(range(1501, 2001))
