"""What a call can do on its way: one module each, one shape.

A step is a function `async def step(call, goal) -> Outcome`, named in `table.STEPS` beside the
goal it serves. It does one thing, then says how to go on: `Onward(goal)`, `Joined(leg, …)` with
somebody who has answered, or `Over(result, code)`. It never calls another step: only `walk`
follows goals. It is cancelled when the call ends (the guest hung up, the server stops), at any
await, and leaves nothing behind: what it began it ends in a `finally`. `docs/calls.md` shows how
a step hears digits, plays prompts, rings people, records and waits.
"""
