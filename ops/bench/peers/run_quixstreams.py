"""quixstreams: one dataframe with one function, a checkpoint a second.

`decode` of the order: `none` hands the bytes over, `json` reads JSON as quixstreams does by default. `work_seconds` is
what each record takes. It shows nobody when its last commit is taken, so that is not counted.
"""

import tempfile
import time
from typing import Any

from measuring import Tally, read_order, write_answer  # type: ignore[import-not-found]
from quixstreams import Application  # type: ignore[import-not-found]


def main(order: dict[str, Any], state: str) -> None:
    """Run until it is enough, and answer."""
    tally = Tally(order)
    work_seconds = float(order.get("work_seconds", 0.0))
    special = str(order.get("special_key", "")).encode()
    special_count = 0
    app = Application(
        broker_address=order["bootstrap"],
        consumer_group=order["group"],
        auto_offset_reset="earliest",
        commit_interval=1.0,
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=state,
        loglevel=None,
    )
    topic = app.topic(order["topic"], value_deserializer="json" if order.get("decode") == "json" else "bytes")
    done = False

    def handle(value: Any, key: Any, timestamp: Any, headers: Any) -> None:
        nonlocal done, special_count
        if done:
            return
        tally.start()
        if work_seconds:
            time.sleep(work_seconds)
        if special and key == special:
            special_count += 1
        if tally.one_timed(timestamp) if tally.timed else tally.one():
            done = True
            tally.stamp()
            app.stop()

    app.dataframe(topic).update(handle, metadata=True)
    app.run()
    write_answer(tally.answer(special=special_count))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="leadbus-quix-") as folder:
        main(read_order(), folder)
