"""Every daemon's spec without its parts, for AsyncAPI: topics, documents, descriptions, and handlers nobody calls."""

from typing import Any, cast

from consumers import analysis, delivery, recorder, routing, transcription
from consumers.runtime.seam import DaemonSpec


def offline_specs() -> tuple[DaemonSpec[Any], ...]:
    """The specs of the document daemons; their handlers have no parts and must not be called."""
    nothing = cast(Any, None)
    return (
        transcription.spec(
            transcription.Transcription(nothing, nothing, nothing, nothing, nothing, nothing, model="chirp_3")
        ),
        analysis.spec(
            analysis.AnalysisDaemon(
                nothing, nothing, nothing, nothing, nothing, model="", embedding_model="", thinking_budget=0
            )
        ),
        routing.spec(routing.Routing(nothing, nothing, nothing)),
        delivery.spec(delivery.Delivery(nothing, nothing, nothing, nothing, nothing, nothing)),
        recorder.spec(recorder.Recorder(nothing, nothing, nothing)),
    )
