"""The server's side of Redux DevTools' protocol."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from sync.devtools import broker as module
from sync.devtools.broker import MAX_CONNECTIONS, MAX_TEXT, Broker


class End:
    """The other end of a connection, which notes what it is told."""

    def __init__(self, broker: Broker, role: str = "", now: float = 0.0) -> None:
        self.texts: list[str] = []
        self.is_closed = False
        self.waiting = 0
        self.now = now
        self.connection = broker.connect(
            self.texts.append, self._close, now, backlog=lambda: self.waiting
        )
        self.id = self.connection.id
        if role:
            self.say("#handshake", {"authToken": None}, 1)
            self.say("login", "master" if role == "instance" else {}, 2)
            if role == "instance":
                self.say("#subscribe", {"channel": "respond"}, 3)
                self.say("#subscribe", {"channel": f"sc-{self.id}"}, 4)
            else:
                self.say("#subscribe", {"channel": "log"}, 3)
            self.heard()

    def _close(self) -> None:
        assert not self.is_closed
        self.is_closed = True

    def say(self, event: str, data: Any = None, cid: int | None = None) -> None:
        packet = {"event": event, "data": data, **({} if cid is None else {"cid": cid})}
        self.connection.receive(json.dumps(packet), self.now)

    def heard(self) -> list[Any]:
        """What it was told since the last time, decoded; pings are empty texts."""
        told = [json.loads(text) if text else "" for text in self.texts]
        self.texts.clear()
        return told

    def messages(self) -> list[tuple[str, Any]]:
        """What was published to it, with the channels."""
        return [
            (packet["data"]["channel"], packet["data"]["data"])
            for packet in self.heard()
            if packet and packet.get("event") == "#publish"
        ]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def log(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "instanceId": "a", "id": "any", "name": "A", **more}


def test_an_instance_and_a_monitor_log_in(broker: Broker) -> None:
    """The answers are those that the official clients wait for."""
    instance, monitor = End(broker), End(broker)
    instance.say("#handshake", {"authToken": None}, 1)
    instance.say("login", "master", 2)
    instance.say("#subscribe", {"channel": "respond"}, 3)
    instance.say("#subscribe", {"channel": f"sc-{instance.id}"}, 4)
    status = {"id": instance.id, "pingTimeout": 30000, "isAuthenticated": False}
    assert instance.heard() == [
        {"rid": 1, "data": status},
        {"rid": 2, "data": "respond"},
        {"rid": 3},
        {"rid": 4},
    ]
    assert (broker.instances, broker.monitors) == (1, 0)
    monitor.say("#handshake", {"authToken": None}, 1)
    monitor.say("login", {}, 2)
    assert broker.monitors == 0
    monitor.say("#subscribe", {"channel": "log"}, 3)
    monitor.say("#subscribe", {"channel": "report"}, 4)
    monitor.say("#authenticate", None, 5)
    assert monitor.heard()[1:] == [
        {"rid": 2, "data": "log"},
        {"rid": 3},
        {"rid": 4},
        {"rid": 5, "data": {"isAuthenticated": False, "authError": None}},
    ]
    assert (broker.instances, broker.monitors) == (1, 1)
    assert instance.id != monitor.id


def test_what_an_instance_logs_reaches_all_monitors(broker: Broker) -> None:
    """Under the id that its connection really has."""
    instance = End(broker, "instance")
    monitors = [End(broker, "monitor") for _ in range(2)]
    state = log("STATE", payload="{}")
    instance.say("log", state)
    instance.say("log-noid", {"data": log("ACTION", payload="1"), "id": "x"})
    for monitor in monitors:
        assert monitor.messages() == [
            ("log", {**state, "id": instance.id}),
            ("log", {**log("ACTION", payload="1"), "id": instance.id}),
        ]
    assert instance.heard() == []


def test_who_does_not_listen_hears_nothing(broker: Broker) -> None:
    """A monitor before it subscribes, a connection before it logs in, an instance ever."""
    instance, other, stranger = End(broker, "instance"), End(broker, "instance"), End(broker)
    monitor = End(broker)
    monitor.say("#handshake", {}, 1)
    monitor.say("#subscribe", {"channel": "log"}, 2)
    assert "error" in monitor.heard()[-1]
    monitor.say("login", {}, 3)
    monitor.heard()
    instance.say("log", log("STATE"))
    assert monitor.heard() == stranger.heard() == other.heard() == []
    monitor.say("#subscribe", {"channel": "log"}, 4)
    instance.say("log", log("STATE"))
    assert len(monitor.messages()) == 1


def test_what_a_monitor_says_reaches_instances(broker: Broker) -> None:
    """All of them, or one; no monitor hears it."""
    a, b = End(broker, "instance"), End(broker, "instance")
    monitor, other = End(broker, "monitor"), End(broker, "monitor")
    monitor.say("respond", {"type": "START"})
    monitor.say(f"sc-{b.id}", {"type": "DISPATCH"})
    monitor.say("sc-nobody", {"type": "DISPATCH"})
    assert a.messages() == [("respond", {"type": "START"})]
    assert b.messages() == [("respond", {"type": "START"}), (f"sc-{b.id}", {"type": "DISPATCH"})]
    assert monitor.heard() == other.heard() == []


def test_an_instance_that_listens_to_all_only_is_reached_there(broker: Broker) -> None:
    """As the official client, which does not listen to its own channel."""
    instance, other, monitor = End(broker), End(broker, "instance"), End(broker, "monitor")
    instance.say("#handshake", {}, 1)
    instance.say("login", "master", 2)
    instance.say("#subscribe", {"channel": "respond"}, 3)
    monitor.say(f"sc-{instance.id}", {"type": "DISPATCH"})
    assert instance.messages() == [("respond", {"type": "DISPATCH"})]
    assert other.heard() == []


def test_a_monitor_gets_the_whole_state_first(broker: Broker) -> None:
    """Actions that were under way when it came are left out, those of other instances too."""
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    for kind in ("ACTION", "LIFTED", "START", "ERROR", "STATE", "ACTION"):
        instance.say("log", log(kind))
    instance.say("log", log("ACTION", instanceId="b"))
    instance.say("log", log("INIT", instanceId="b"))
    instance.say("log", log("ACTION", instanceId="b"))
    assert [message["type"] for _, message in monitor.messages()] == [
        "START",
        "ERROR",
        "STATE",
        "ACTION",
        "INIT",
        "ACTION",
    ]


def test_a_monitor_that_comes_back_gets_the_whole_state_first(broker: Broker) -> None:
    """On the same connection as well, and of an instance that comes back."""
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    instance.say("log", log("STATE"))
    monitor.say("#unsubscribe", "log", 9)
    assert monitor.heard()[-1] == {"rid": 9}
    monitor.say("#subscribe", {"channel": "log"}, 10)
    instance.say("log", log("ACTION"))
    assert monitor.messages() == []
    instance.say("log", log("STATE"))
    instance.say("login", "master", 7)
    instance.say("log", log("ACTION"))
    assert [message["type"] for _, message in monitor.messages()] == ["STATE", "DISCONNECTED"]


def test_who_leaves_is_told_of(broker: Broker) -> None:
    """An instance to the monitors; of the monitors only the last to the instances."""
    a, b = End(broker, "instance"), End(broker, "instance")
    one, two = End(broker, "monitor"), End(broker, "monitor")
    a.connection.closed()
    a.connection.closed()
    gone = ("log", {"type": "DISCONNECTED", "id": a.id})
    assert (one.messages(), two.messages()) == ([gone], [gone])
    one.connection.closed()
    assert b.messages() == []
    two.connection.closed()
    assert b.messages() == [("respond", {"type": "DISCONNECTED", "id": two.id})]
    assert (broker.instances, broker.monitors) == (1, 0)
    assert not a.is_closed


def test_a_monitor_that_unsubscribes_has_left(broker: Broker) -> None:
    """Instances need not send for nobody."""
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    monitor.say("#unsubscribe", "log")
    assert instance.messages() == [("respond", {"type": "DISCONNECTED", "id": monitor.id})]
    monitor.connection.closed()
    assert instance.messages() == []


def test_pings_and_timeouts(broker: Broker) -> None:
    """A ping every 8 seconds; who is silent for 30 is closed, others are not."""
    silent, alive = End(broker, "instance"), End(broker, "monitor")
    pings = 0
    for now in range(1, 31):
        broker.tick(now)
        pings += silent.heard().count("")
        if now % 8 == 0:
            alive.connection.receive("", now)
    assert pings == 3
    assert not silent.is_closed
    broker.tick(31)
    assert silent.is_closed
    assert not alive.is_closed
    assert ("log", {"type": "DISCONNECTED", "id": silent.id}) in alive.messages()
    silent.connection.receive(json.dumps({"event": "log", "data": log("STATE")}), 32)
    assert alive.messages() == []


def test_the_handshake_comes_first_and_soon(broker: Broker) -> None:
    """Anything else before it, or ten seconds without it, close the connection."""
    early, late, fine = End(broker), End(broker), End(broker, "monitor")
    early.say("login", "master", 1)
    assert early.is_closed
    assert early.heard() == []
    broker.tick(10)
    assert not late.is_closed
    broker.tick(10.5)
    assert (late.is_closed, fine.is_closed) == (True, False)
    assert late.heard() == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "nonsense",
        "5",
        "null",
        '"#handshake"',
        "[5]",
        '{"event":"log","data":{"type":"STATE","payload":NaN}}',
        "[" * 100_000,
        '{"event":"log","data":' + '{"type":' * 200_000,
        "9" * 10_000,
        " " * (MAX_TEXT + 1),
    ],
    ids=lambda text: text[:20],
)
@pytest.mark.parametrize("role", ["instance", "monitor"])
def test_malformed_input_closes_the_connection_it_came_from(
    broker: Broker, text: str, role: str
) -> None:
    """The others hear nothing of it but that it left."""
    bad = End(broker, role)
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    bad.connection.receive(text, 0)
    assert bad.is_closed
    assert not instance.is_closed
    assert not monitor.is_closed
    assert {message["type"] for _, message in monitor.messages()} <= {"DISCONNECTED"}
    instance.say("log", log("STATE"))
    assert len(monitor.messages()) == 1


def test_deep_input_is_passed_on_or_closes_its_connection(broker: Broker) -> None:
    """Whatever depth the reader takes, nothing but that connection fails."""
    monitor = End(broker, "monitor")
    for depth in (10, *range(900, 1020, 5), 3000, 200_000):
        bad = End(broker, "instance")
        nested = "[" * depth + "]" * depth
        bad.connection.receive(
            f'{{"event":"log","data":{{"type":"STATE","instanceId":"a","x":{nested}}}}}', 0
        )
        kinds = [message["type"] for _, message in monitor.messages()]
        assert kinds == (["DISCONNECTED"] if bad.is_closed else ["STATE"])
        assert bad.is_closed or depth < 200_000
        assert depth > 10 or not bad.is_closed
        assert not monitor.is_closed
        bad.connection.closed()
        monitor.heard()


@pytest.mark.parametrize(
    "packet",
    [
        {},
        {"event": 5},
        {"event": "#publish", "data": {"channel": "log", "data": {}}},
        {"event": "unknown", "data": {}},
        {"event": "log"},
        {"event": "log", "data": []},
        {"event": "log", "data": {"type": ["STATE"]}},
        {"event": "log", "data": {"type": "STATE", "instanceId": "x" * 1000}},
        {"event": "log-noid", "data": {"data": 5}},
        {"event": "respond", "data": {"type": "START"}},
        {"event": "sc-s1", "data": {"type": "START"}},
        {"event": "#subscribe"},
        {"event": "#subscribe", "data": {"channel": ["log"]}},
        {"event": "#subscribe", "data": {"channel": "log"}},
        {"event": "#unsubscribe", "data": ["log"]},
        {"event": "#removeAuthToken"},
        {"rid": 4, "data": 5},
    ],
    ids=json.dumps,
)
def test_what_an_instance_may_not_say_is_ignored(broker: Broker, packet: Any) -> None:
    """Nobody hears of it, and the connection stays."""
    other, monitor = End(broker, "instance"), End(broker, "monitor")
    instance = End(broker, "instance")
    instance.connection.receive(json.dumps(packet), 0)
    assert instance.heard() == other.heard() == monitor.heard() == []
    assert not instance.is_closed
    instance.say("log", log("STATE"))
    assert len(monitor.messages()) == 1


def test_who_wants_an_answer_gets_an_error(broker: Broker) -> None:
    """For unknown events, channels that are not for it, and reports, which there are none of."""
    monitor = End(broker, "monitor")
    for event, data in (
        ("getReport", "5"),
        ("#publish", {"channel": "log", "data": {}}),
        ("#subscribe", {"channel": "respond"}),
        ("log", {"type": "STATE"}),
    ):
        monitor.say(event, data, 7)
        (answer,) = monitor.heard()
        assert answer["rid"] == 7
        assert answer["error"]["name"] == "InvalidActionError"
        assert "for you" in answer["error"]["message"]
    monitor.say("respond", {"type": "START"}, 8)
    assert monitor.heard() == [{"rid": 8}]


def test_several_packets_may_come_in_one_text(broker: Broker) -> None:
    """Clients may send batches; what follows a bad one is not read."""
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    batch: list[Any] = [{"event": "log", "data": log(kind)} for kind in ("STATE", "ACTION")]
    instance.connection.receive(json.dumps(batch), 0)
    assert len(monitor.messages()) == 2
    instance.connection.receive(json.dumps([5, *batch]), 0)
    assert instance.is_closed
    assert [message["type"] for _, message in monitor.messages()] == ["DISCONNECTED"]


def test_a_slow_monitor_is_left_out_and_made_up_for(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets whole states again when it has caught up; a quick one misses nothing."""
    monkeypatch.setattr(module, "BACKLOG", 1000)
    instance, slow, quick = (End(broker, role) for role in ("instance", "monitor", "monitor"))
    instance.say("log", log("STATE"))
    slow.waiting = 1001
    for _ in range(3):
        instance.say("log", log("ACTION"))
    slow.waiting = 500
    instance.say("log", log("ACTION"))
    broker.tick(1)
    assert instance.messages() == []
    slow.waiting = 100
    broker.tick(2)
    broker.tick(3)
    assert instance.messages() == [("respond", {"type": "START"})]
    for kind in ("ACTION", "STATE", "ACTION"):
        instance.say("log", log(kind))
    assert [message["type"] for _, message in slow.messages()] == ["STATE", "STATE", "ACTION"]
    assert len(quick.messages()) == 8


def test_there_are_only_so_many_connections(broker: Broker) -> None:
    """One too many is closed at once, and there is room again when one leaves."""
    ends = [End(broker) for _ in range(MAX_CONNECTIONS)]
    assert not any(end.is_closed for end in ends)
    assert End(broker).is_closed
    ends[0].connection.closed()
    assert not End(broker).is_closed


def test_close_closes_all(broker: Broker) -> None:
    """And nothing is taken any more."""
    ends = [End(broker, "instance"), End(broker, "monitor"), End(broker)]
    broker.close()
    assert all(end.is_closed for end in ends)
    assert (broker.instances, broker.monitors) == (0, 0)
    for end in ends:
        end.heard()
        end.say("#handshake", {}, 1)
        end.connection.tick(100)
        assert end.heard() == []


def test_random_input_of_all_kinds_breaks_nothing(broker: Broker) -> None:
    """After 5 000 random packets of 20 connections, a monitor that behaves sees what it should."""
    random = Random(11)
    instance, monitor = End(broker, "instance"), End(broker, "monitor")
    ends = [End(broker, random.choice(("", "instance", "monitor"))) for _ in range(20)]
    events = ["#handshake", "login", "#subscribe", "#unsubscribe", "log", "respond", "log-noid"]
    events += ["sc-s1", "sc-s4", "#publish", "#authenticate", "", "x"]
    values: list[Any] = [None, "master", {}, "log", {"channel": "log"}, {"channel": "respond"}]
    values += [
        {"type": "STATE"},
        {"type": "START"},
        {"data": {"type": "ACTION"}},
        [],
        5,
        log("ACTION"),
    ]
    for now in range(5000):
        at = random.randrange(len(ends))
        if ends[at].is_closed:
            ends[at] = End(broker, random.choice(("", "instance", "monitor")), now)
        if random.random() < 0.02:
            ends[at].connection.receive(random.choice(("{", "[]", "[[]]", "null")), now)
        else:
            ends[at].now = now
            ends[at].say(random.choice(events), random.choice(values), random.choice((None, 1)))
        for end in (instance, monitor):
            end.connection.receive("", now)
        broker.tick(now)
    assert not instance.is_closed
    monitor.heard()
    instance.say("log", log("STATE", payload="{}"))
    assert monitor.messages() == [("log", log("STATE", payload="{}") | {"id": instance.id})]
    instance.heard()
    monitor.say(f"sc-{instance.id}", {"type": "UPDATE"})
    assert instance.messages() == [(f"sc-{instance.id}", {"type": "UPDATE"})]
