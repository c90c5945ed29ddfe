from vpbx.media import MediaSession

from .conftest import connect


async def test_two_sides_hear_each_other(session: MediaSession, phone) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(30)
    await b.hear(30)
    assert abs(a.frequency() - 700) < 3
    assert abs(b.frequency() - 425) < 3
    stats = await session.stats()
    assert stats.packets_a >= 25
    assert stats.packets_b >= 25
