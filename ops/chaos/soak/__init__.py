"""The soak: the whole house on a real Kafka under steady traffic, while everything in it is killed at random.

Read from the top:

    run          one soak, put together
    places       what it runs on
    schedule     what is disturbed and when, all of it from one seed
    leads        what senders post, endless
    sending      posting until it is taken, as vendors that retry do
    parts        the house's parts under signals, and the supervisor that starts them again
    trouble      carries the schedule out: signals, and vendors that misbehave
    account      what came in and what became of it, from the topics
    ends         the same from the store, the vendors and the groups' commits
    verdict      what was lost, doubled, left open or stuck
    report       what a run says at the end
    trace        what it leaves in its folder

Nothing of production imports any of it.
"""
