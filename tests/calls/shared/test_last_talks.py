from collections.abc import Mapping

from vpbx.calls.shared.last_talks import LastTalks

ACME = 1


async def test_who_has_gone_longest_without_a_call_comes_first() -> None:
    asked: list[list[str]] = []

    async def history(domain_id: int, logins: Mapping[str, int]) -> Mapping[str, float]:
        asked.append(list(logins))
        return {"ann": 100.0, "bob": 50.0}

    talks = LastTalks(history)
    await talks.learn(ACME, ["ann", "bob", "eve"])
    assert talks.longest_without(ACME, ["ann", "bob", "eve"]) == ("eve", "bob", "ann")
    talks.talked(ACME, "eve", 190.0, 200.0)
    assert talks.longest_without(ACME, ["ann", "bob", "eve"]) == ("bob", "ann", "eve")
    await talks.learn(ACME, ["ann", "bob", "eve", "dan"])
    assert asked == [["ann", "bob", "eve"], ["dan"]]


async def test_who_never_had_a_call_keeps_the_order_of_the_department() -> None:
    talks = LastTalks()
    await talks.learn(ACME, ["b", "a"])
    assert talks.longest_without(ACME, ["b", "a", "c"]) == ("b", "a", "c")


async def test_a_call_that_ends_while_history_is_asked_counts() -> None:
    async def history(domain_id: int, logins: Mapping[str, int]) -> Mapping[str, float]:
        talks.talked(ACME, "ann", 190.0, 200.0)
        return {"ann": 100.0}

    talks = LastTalks(history)
    await talks.learn(ACME, ["ann", "bob"])
    talks.talked(ACME, "bob", 140.0, 150.0)
    assert talks.longest_without(ACME, ["ann", "bob"]) == ("bob", "ann")


async def test_history_that_does_not_answer_stops_nobody() -> None:
    async def history(domain_id: int, logins: Mapping[str, int]) -> Mapping[str, float]:
        raise OSError("the database is away")

    talks = LastTalks(history)
    await talks.learn(ACME, ["ann"])
    assert talks.longest_without(ACME, ["ann"]) == ("ann",)


async def test_who_has_a_former_ones_login_has_none_of_their_calls() -> None:
    since = {"bob": 0}

    async def history(domain_id: int, logins: Mapping[str, int]) -> Mapping[str, float]:
        calls = {"ann": 50.0, "bob": 100.0}  # when they began, and ended
        return {who: at for who, at in calls.items() if who in logins and at * 1000 >= logins[who]}

    talks = LastTalks(history, lambda domain_id, login: since.get(login, 0))
    await talks.learn(ACME, ["ann", "bob"])
    assert talks.longest_without(ACME, ["ann", "bob"]) == ("ann", "bob")
    since["bob"] = 150_000  # another Bob
    await talks.learn(ACME, ["ann", "bob"])
    assert talks.longest_without(ACME, ["ann", "bob"]) == ("bob", "ann")
    talks.talked(ACME, "bob", 140.0, 160.0)  # the former one was still talking
    assert talks.longest_without(ACME, ["ann", "bob"]) == ("bob", "ann")
    talks.talked(ACME, "bob", 170.0, 180.0)
    assert talks.longest_without(ACME, ["ann", "bob"]) == ("ann", "bob")
