"""
What the fetch operator finds in results, beside storing them: gates of quality, and chosen fields.

Invariant: results are stored before a field is read, so that a result which no reader understands is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import AirflowSkipException
from airflow_provider_asposeocr.parameters import rendered

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.api.results.download import Download
    from airflow_provider_asposeocr.api.results.measures import Measured
    from airflow_provider_asposeocr.api.results.quality import Verdict
    from airflow_provider_asposeocr.documents.manifest import Manifest
    from airflow_provider_asposeocr.operators.fetch import AsposeOcrFetchResultOperator

#: XCom of what a person needs who is to look at a result (``on_low_quality="review"``).
REVIEW_KEY = "aspose_ocr_review"
#: Most files that a review names.
_MOST_FILES = 10


def check_result_parameters(operator: AsposeOcrFetchResultOperator, *, is_rendered: bool) -> None:
    """
    Check what concerns the content of results.

    :param operator: The operator, with its parameters set.
    :param is_rendered: ``False`` at parse time: templates in ``extract`` are not checked. ``True`` before the wait, which
        checks them, and the parameters of a mapped operator, which Airflow makes when it runs.
    :raises InputError: if a gate is unknown, or a path of ``extract`` leads nowhere.
    """
    # The readers are loaded only where a DAG asks for something.
    if operator.extract is not None:
        from airflow_provider_asposeocr.api.results.extract import parse_extract

        parse_extract(rendered(operator.extract) if is_rendered else operator.extract, rendered=is_rendered)
    if operator.quality is not None:
        from airflow_provider_asposeocr.api.results.quality import parse_gates

        parse_gates(operator.quality)


def judge_results(
    operator: AsposeOcrFetchResultOperator, ref: TaskRef, done: Download
) -> tuple[Measured, Verdict]:
    """
    Measure results, and decide what becomes of them.

    :param operator: The operator.
    :param ref: The cloud task that made them.
    :param done: The results.
    """
    from airflow_provider_asposeocr.api.results.measures import measure
    from airflow_provider_asposeocr.api.results.quality import judge, parse_gates

    measured = measure(ref.operation, done.results)
    return measured, judge(measured, parse_gates(operator.quality), operator.on_low_quality)


def described(
    operator: AsposeOcrFetchResultOperator,
    manifest: Manifest,
    done: Download,
    measured: Measured,
    verdict: Verdict,
) -> Manifest:
    """
    Add to a manifest what was found in the results.

    :param operator: The operator.
    :param manifest: The manifest of the stored files.
    :param done: The results.
    :param measured: What was measured in them.
    :param verdict: What was decided.
    :return: The manifest with ``quality`` and ``extracted``.
    :raises ReaderError: if a field cannot be read, or is absent and may not be.
    """
    from airflow_provider_asposeocr.api.results.quality import describe

    more: dict[str, Any] = {"quality": describe(measured, verdict)}
    if verdict.is_low:
        more["outcome"] = "low_quality"
    if operator.extract is not None and manifest.task is not None:
        from airflow_provider_asposeocr.api.results.extract import extract_fields, parse_extract

        fields = parse_extract(rendered(operator.extract))
        found = extract_fields(
            manifest.task.operation,
            done.results,
            fields,
            on_absent=operator.on_absent,
            most_bytes=operator.extract_bytes,
        )
        more["extracted"] = found.values
        cut = [
            f"extract: {name} was cut to extract_bytes, {operator.extract_bytes} bytes." for name in found.cut
        ]
        more["warnings"] = [*manifest.warnings, *cut]
    return manifest.model_copy(update=more)


def push_fields(manifest: Manifest, context: Context) -> None:
    """
    Make each chosen field an XCom of its own, so that ``fetch.output["total"]`` is that field.

    :param manifest: The manifest.
    :param context: Airflow's context.
    """
    for name, value in (manifest.extracted or {}).items():
        context["ti"].xcom_push(key=name, value=value)


def end_low_quality(
    operator: AsposeOcrFetchResultOperator, manifest: Manifest, verdict: Verdict, context: Context
) -> None:
    """
    Do what the user wants of a result that has not passed a gate.

    :param operator: The operator.
    :param manifest: Its manifest, which a task that fails or is skipped does not return, so that it is pushed here.
    :param verdict: What was decided.
    :param context: Airflow's context.
    :raises LowQualityError: with ``on_low_quality="fail"``.
    :raises AirflowSkipException: with ``on_low_quality="skip"``.
    """
    task = manifest.task
    error = verdict.error(None if task is None else task.operation, None if task is None else task.id)
    if (verdict.fails or verdict.skips) and operator.do_xcom_push:
        context["ti"].xcom_push(key="return_value", value=manifest.to_dict())
    if verdict.fails:
        raise error
    if verdict.skips:
        raise AirflowSkipException(
            f"{error.message} The cloud task was billed. Nothing was written (on_low_quality='skip'); the cloud keeps the "
            "result for 24 hours."
        )
    operator.log.warning("%s The cloud task was billed. The files are kept and marked.", error.message)
    if verdict.reviews:
        context["ti"].xcom_push(key=REVIEW_KEY, value=review_of(manifest, verdict))


def review_of(manifest: Manifest, verdict: Verdict) -> dict[str, Any]:
    """
    Say what a person needs who is to look at a result.

    :param manifest: Its manifest.
    :param verdict: The gates that it has not passed.
    :return: ``subject`` and ``body``, for Airflow's human-in-the-loop operators, and the ``missed`` gates. Small JSON.
    """
    source = shown(manifest.source or "a document", 300)
    files = "\n".join(f"- {shown(result.uri, 300)}" for result in manifest.results[:_MOST_FILES])
    return {
        "subject": f"Low quality: {source.rpartition('/')[2][:100]}",
        "body": f"{source}\n\n{verdict.text}.\n\n{files}",
        "missed": [missed.to_dict() for missed in verdict.missed],
    }
