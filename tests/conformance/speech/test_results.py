"""From the vendor's messages to utterances."""

from datetime import timedelta

from google.cloud.speech_v2.types import cloud_speech as cs

from connectors.speech.results import heard, language_of


def word(text: str, start: float, end: float, speaker: str = "") -> cs.WordInfo:
    return cs.WordInfo(
        word=text,
        start_offset=timedelta(seconds=start),
        end_offset=timedelta(seconds=end),
        speaker_label=speaker,
    )


def result(
    text: str, end: float, *, channel: int = 0, words: tuple[cs.WordInfo, ...] = (), language: str = "en-US"
) -> cs.SpeechRecognitionResult:
    return cs.SpeechRecognitionResult(
        alternatives=[cs.SpeechRecognitionAlternative(transcript=text, words=list(words))],
        result_end_offset=timedelta(seconds=end),
        channel_tag=channel,
        language_code=language,
    )


def test_no_results_are_silence() -> None:
    found = heard([], [cs.RecognitionResponseMetadata()], start_s=0.0)

    assert found.utterances == ()
    assert language_of([found]) is None


def test_a_result_without_words_said_is_left_out() -> None:
    assert heard([result("  ", 2.0), cs.SpeechRecognitionResult()], [], start_s=0.0).utterances == ()


def test_a_result_is_split_where_the_speaker_changes() -> None:
    words = (word("Hello", 0.5, 0.9, "1"), word("there.", 0.9, 1.2, "1"), word("Hi.", 1.5, 1.8, "2"))

    found = heard([result("Hello there. Hi.", 1.8, words=words)], [], start_s=0.0).utterances

    assert [(u.speaker, u.text, u.start_s, u.end_s) for u in found] == [
        ("1", "Hello there.", 0.5, 1.2),
        ("2", "Hi.", 1.5, 1.8),
    ]


def test_channels_are_put_in_the_order_of_speaking() -> None:
    results = [
        result("Bye.", 9.0, channel=1, words=(word("Bye.", 8.0, 9.0),)),
        result("Hello.", 3.0, channel=2, words=(word("Hello.", 2.0, 3.0),)),
    ]

    found = heard(results, [], start_s=0.0).utterances

    assert [(u.text, u.channel, u.speaker) for u in found] == [("Hello.", 2, "channel-2"), ("Bye.", 1, "channel-1")]


def test_without_word_times_one_begins_where_the_other_ended() -> None:
    found = heard([result("Hello.", 2.0, channel=1), result("Hi.", 3.5, channel=2)], [], start_s=60.0).utterances

    assert [(u.start_s, u.end_s) for u in found] == [(60.0, 62.0), (62.0, 63.5)]


def test_the_language_is_the_one_in_which_most_was_said() -> None:
    first = heard([result("Hola, buenos dias, le llamo por la cita.", 3.0, language="es-US")], [], start_s=0.0)
    second = heard([result("Okay.", 1.0, language="en-US")], [], start_s=3.0)

    assert language_of([second, first]) == "es-US"


def test_the_vendor_says_what_it_billed() -> None:
    metadata = [
        cs.RecognitionResponseMetadata(),
        cs.RecognitionResponseMetadata(total_billed_duration=timedelta(seconds=54)),
    ]

    assert heard([], metadata, start_s=0.0).billed_seconds == 54.0
    assert heard([], metadata[:1], start_s=0.0).billed_seconds is None
