import asyncio

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import NoticePosted, Stamped
from patchbay.app.engine.state import NoticeEntry, SessionState
from patchbay.app.engine.store import SessionStore
from support.sessions import Recording


def make_bus() -> MessageBus:
    return MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 5.0)


def notice(text: str) -> NoticePosted:
    return NoticePosted(message=text)


def test_events_are_stamped_in_order_and_the_store_is_first():
    bus = make_bus()
    seen: list[tuple[int, int]] = []
    bus.attach(lambda stamped: seen.append((stamped.seq, len(bus.store.state.transcript))))
    for text in "abc":
        bus.publish(notice(text))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_an_event_published_by_a_sink_comes_after_the_current_one_for_everybody():
    bus = make_bus()

    def echo(stamped: Stamped) -> None:
        if stamped.event == notice("a"):
            bus.publish(notice("echo"))

    bus.attach(echo)
    recording = Recording(bus)
    bus.publish(notice("a"))
    assert recording.events == [notice("a"), notice("echo")]
    assert [each.seq for each in recording.stamped] == [1, 2]


def test_a_failing_sink_is_detached_and_said_and_others_go_on():
    bus = make_bus()

    def broken(_stamped: Stamped) -> None:
        raise RuntimeError("disk on fire")

    bus.attach(broken)
    recording = Recording(bus)
    bus.publish(notice("a"))
    bus.publish(notice("b"))
    messages = [event.message for event in recording.events]
    assert messages[0] == "a"
    assert "disk on fire" in messages[1]
    assert messages[2:] == ["b"]


async def test_a_slow_subscriber_loses_its_oldest_events_and_counts_them():
    bus = make_bus()
    subscription = bus.subscribe(capacity=3)
    for text in "abcde":
        bus.publish(notice(text))
    bus.unsubscribe(subscription)
    received = [stamped.event.message async for stamped in subscription]
    assert received == ["c", "d", "e"]
    assert subscription.dropped == 2


async def test_a_latch_holds_only_the_newest_revisions():
    bus = make_bus()
    latch = bus.latch()
    for text in "abc":
        bus.publish(notice(text))
    assert await latch.wait() == bus.store.state.revisions
    waiting = asyncio.ensure_future(latch.wait())
    await asyncio.sleep(0)
    assert not waiting.done(), "nothing moved since the last wait"
    bus.publish(notice("d"))
    assert await waiting == bus.store.state.revisions


def test_ten_thousand_events_reach_store_and_sink_without_loss():
    bus = make_bus()
    recording = Recording(bus)
    for number in range(10_000):
        bus.publish(notice(str(number)))
    assert [each.seq for each in recording.stamped] == list(range(1, 10_001))
    entries = [entry for entry in bus.store.state.transcript if isinstance(entry, NoticeEntry)]
    assert [entry.message for entry in entries] == [str(number) for number in range(10_000)]
