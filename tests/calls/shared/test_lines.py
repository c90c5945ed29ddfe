from vpbx.calls.shared.lines import Lines, Presence, Use

ACME, OTHER = 1, 2


def test_an_employee_is_what_the_busiest_of_their_calls_is() -> None:
    lines = Lines()
    assert lines.idle(ACME, "ann")
    lines.move(ACME, "ann", "1", Use.RINGING, now=1)
    assert lines.presence(ACME, "ann") is Presence.RINGING
    assert not lines.idle(ACME, "ann")
    assert not lines.busy(ACME, "ann")
    lines.move(ACME, "ann", "2", Use.PLACING, now=2)
    assert lines.presence(ACME, "ann") is Presence.TALKING
    assert lines.busy(ACME, "ann")
    assert not lines.busy(ACME, "ann", besides="2")
    lines.move(ACME, "ann", "2", None, now=3)
    lines.move(ACME, "ann", "1", Use.TALKING, now=3)
    assert lines.presence(ACME, "ann") is Presence.TALKING
    lines.move(ACME, "ann", "1", None, now=4)
    assert lines.idle(ACME, "ann")


def test_companies_do_not_see_each_other() -> None:
    lines = Lines()
    lines.move(ACME, "ann", "1", Use.RINGING, now=1, group="g_sales")
    assert lines.idle(OTHER, "ann")
    assert lines.ringing_at(OTHER, "ann") is None
    assert lines.ringing_in(OTHER, frozenset({"g_sales"})) is None


def test_who_picks_up_gets_the_call_that_rang_longest() -> None:
    lines = Lines()
    lines.move(ACME, "bob", "7", Use.RINGING, now=5, group="g_sales")
    lines.move(ACME, "ann", "8", Use.RINGING, now=4, group="g_sales")
    lines.move(ACME, "ann", "9", Use.RINGING, now=3)
    lines.move(ACME, "eve", "6", Use.TALKING, now=1, group="g_sales")
    found = lines.ringing_at(ACME, "ann")
    assert found is not None
    assert found.callid == "9"
    sales = lines.ringing_in(ACME, frozenset({"g_sales", "g_other"}))
    assert sales is not None
    assert (sales[0], sales[1].callid) == ("ann", "8")
    assert lines.ringing_in(ACME, frozenset()) is None
    assert lines.ringing_at(ACME, "eve") is None


def test_a_watcher_hears_every_change_and_nothing_else() -> None:
    lines = Lines()
    heard: list[tuple[str, str, str]] = []
    stop = lines.watch(lambda _, login, was, now: heard.append((login, was.name, now.name)))
    lines.move(ACME, "ann", "1", None, now=1)
    lines.move(ACME, "ann", "1", Use.RINGING, now=1)
    lines.move(ACME, "ann", "1", Use.RINGING, now=2)
    lines.move(ACME, "ann", "1", Use.TALKING, now=3)
    lines.move(ACME, "ann", "1", None, now=4)
    lines.move(ACME, "ann", "1", None, now=4)
    assert heard == [
        ("ann", "IDLE", "RINGING"),
        ("ann", "RINGING", "TALKING"),
        ("ann", "TALKING", "IDLE"),
    ]
    stop()
    lines.move(ACME, "ann", "1", Use.RINGING, now=1)
    assert len(heard) == 3


def test_the_department_of_a_ringing_call_is_kept_when_it_is_answered() -> None:
    lines = Lines()
    lines.move(ACME, "ann", "1", Use.RINGING, now=1, group="g_sales")
    lines.move(ACME, "ann", "1", Use.TALKING, now=2)
    assert lines.of(ACME, "ann")[0].group == "g_sales"


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    lines = Lines()
    for n in range(1000):
        lines.move(ACME, f"u{n}", str(n), Use.RINGING, now=n)
        lines.move(ACME, f"u{n}", str(n), None, now=n)
    assert lines._lines == {}
