"""Creates the automations that keep watch, or brings them up to date: `python deployments/automations.py`.

- "Silent runs are crashed": a run whose process was killed says nothing any more. Once two minutes have passed without
  its heartbeat it is marked Crashed, which frees its place: the next run, queued or scheduled, resumes from the store.
- "Failures are noted": each failed or crashed run of a deployment adds to the artifact `failures`, with the reason and
  a link. It needs no account anywhere; to send mail or messages, add an automation of your own in the UI.
"""

from __future__ import annotations

import argparse
import base64
import logging
from datetime import timedelta

from prefect import Flow
from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.settings import get_current_settings

from flows import candidates, full_pipeline

LOG = logging.getLogger(__name__)
SILENCE = 120  # seconds; runs send a heartbeat every 30
FLOWS = sorted(
    {value.name for module in (full_pipeline, candidates) for value in vars(module).values() if isinstance(value, Flow)}
)
OUR_FLOWS = {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS}
FINAL = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")}
PARTS = ("description", "enabled", "trigger", "actions")
NOTE = """\
{% set page = "UI/runs/flow-run/" ~ flow_run.id %}
{
  "key": "failures",
  "type": "markdown",
  "flow_run_id": {{ flow_run.id | string | tojson }},
  "description": {{ (flow_run.name ~ ": " ~ flow_run.state.name) | tojson }},
  "data": {{ ("# " ~ flow_run.name ~ ": " ~ flow_run.state.name ~ "\n\n> " ~ (flow_run.state.message or "") ~ "\n\n["
    ~ "The run](" ~ page ~ ") has its logs. Whatever it finished lies in the store: "
    ~ "the next run of this deployment goes on from there.") | tojson }}
}
"""


def crash_silent_runs(seconds: int) -> Automation:
    """Marks a run Crashed when it has been silent for so many seconds."""
    return Automation(
        name="Silent runs are crashed",
        description="A run that was killed sends no heartbeat any more; see docs/operations.md.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=OUR_FLOWS,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat"} | FINAL,
            for_each={"prefect.resource.id"},
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"No heartbeat for {seconds} s: its process or machine is gone. The next run resumes.",
            )
        ],
    )


def note_failures() -> Automation:
    """Writes an artifact for each failed or crashed run of a deployment, through the server's own API."""
    settings = get_current_settings()
    authentication = settings.api.auth_string.get_secret_value() if settings.api.auth_string else ""
    basic = base64.b64encode(authentication.encode()).decode()
    pages = str(settings.ui_url)  # where browsers find the UI: PREFECT_UI_URL, else as PREFECT_API_URL has it
    webhook = Webhook(
        url=f"{settings.api.url}/artifacts/",
        headers={"Authorization": f"Basic {basic}"} if authentication else {},
    )
    block = webhook.save("artifacts", overwrite=True)
    return Automation(
        name="Failures are noted",
        description="Each failed or crashed run of a deployment adds to the artifact `failures`.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=[OUR_FLOWS, {"prefect.resource.role": "deployment"}],
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
            for_each={"prefect.resource.id"},
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=NOTE.replace("UI", pages))],
    )


def create_or_update(automation: Automation) -> None:
    """Creates an automation, or gives the one of that name its new content, however often this is done.

    What is as it should be is left alone: an update starts the server's watch afresh, and a run that had died by then
    would be shown as Running for good.
    """
    with get_client(sync_client=True) as client:
        known = client.read_automations_by_name(automation.name)
        for double in known[1:]:
            client.delete_automation(double.id)
    if not known:
        automation.create()
        what = "created"
    elif any(getattr(known[0], part) != getattr(automation, part) for part in PARTS):
        automation.id = known[0].id
        automation.update()
        what = "brought up to date"
    else:
        what = "as it should be"
    LOG.info("%s: %s", automation.name, what)


def create_automations(silence: int = SILENCE) -> None:
    """Creates both, or brings them up to date.

    Args:
        silence: Seconds without a heartbeat after which a run is marked Crashed.
    """
    create_or_update(crash_silent_runs(silence))
    create_or_update(note_failures())


def server_url(parser: argparse.ArgumentParser) -> str:
    """Returns PREFECT_API_URL; exits where there is none."""
    url = get_current_settings().api.url
    if not url:
        parser.error("expected PREFECT_API_URL, the address of Prefect's server, in the environment; received none")
    return url


def main() -> None:
    """Creates both, on the server of PREFECT_API_URL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--silence", type=int, default=SILENCE, help=f"seconds without a heartbeat (default: {SILENCE})"
    )
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    LOG.setLevel(logging.INFO)
    server_url(parser)
    create_automations(arguments.silence)


if __name__ == "__main__":
    main()
