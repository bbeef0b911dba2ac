"""The inbox: what labeling tools tell is kept at once, and taken in by a task."""

import hmac
from http import HTTPStatus
from typing import Final

from aiohttp import web
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from gateway.errands import ERRANDS
from gateway.files import send_blob
from gateway.operations import Routes
from gateway.problems import Refused
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.views import Received
from schemas.errors import NotFound
from schemas.labeling import JobState, LabelingItem, LabelingJob
from schemas.schema import Id, derived_id, digest_of
from schemas.service_parameters import OF_THE_SERVICE, ReceiveParameters
from schemas.tasks import Task
from storage.contested import added
from storage.labeling.links import signature
from storage.ports import Query

routes: Final = Routes("labeling")

# Editors in a browser read the pixels, too; whoever has the link may.
FOR_EDITORS: Final = {"Access-Control-Allow-Origin": "*"}
INLINE_BYTES: Final = 16_384


@routes.post("/v1/hooks/{tool}/{token}", answer=Received, status=HTTPStatus.ACCEPTED, public=True)
async def take_hook(request: web.Request) -> web.Response:
    """Keep what a labeling tool tells of the job whose secret is in the address; what it tells twice is kept once."""
    job = await _job_of(request)
    body = await request.read()
    services = request.app[SERVICES]
    identity = _checked(request, job, body)
    if job.state is JobState.CLOSED:
        return reply(Received(delivery=identity), status=HTTPStatus.ACCEPTED)
    now = services.clock()
    task = Task(
        id=identity,
        project=OF_THE_SERVICE,
        parameters=await _parameters(request, job, body),
        created_by=job.tool,
        created_at=now,
        updated_at=now,
    )
    if await added(task, services.database.documents(Task)) is task:  # else it was told before
        request.app[ERRANDS].ring(task)
    return reply(Received(delivery=identity), status=HTTPStatus.ACCEPTED)


@routes.get("/v1/labeling/{id}/images/{asset}", media_type="image/*", public=True)
async def send_job_image(request: web.Request) -> web.StreamResponse:
    """Send an image of a labeling job to whoever has a link that is signed for it; it holds until the job is closed."""
    asset, identity = request.match_info["asset"], request.match_info["id"]
    database = request.app[SERVICES].database
    found = await database.documents(LabelingJob).get_many([identity])
    given = request.query.get("signature", "")
    if not found or not hmac.compare_digest(signature(found[0], asset).encode(), given.encode()):
        detail = "The link is not signed for this image."
        raise Refused(HTTPStatus.FORBIDDEN, detail, step="Take it from the items of the job.")
    items = await database.documents(LabelingItem).get_many([derived_id(identity, asset)])
    if not items or found[0].state is JobState.CLOSED:
        raise NotFound("image of an open labeling job", asset, step="The job is closed, or has no such image.")
    return await send_blob(
        request, f"sha256:{asset}", media_type=items[0].media_type or "image/jpeg", more_headers=FOR_EDITORS
    )


def _checked(request: web.Request, job: LabelingJob, body: bytes) -> Id:
    """Return the id of what is told; raise Refused unless it is signed, where the tool can sign."""
    told = request.headers.get("webhook-id", "")
    settings = request.app[SERVICES].labeling.labeling_tools.get(job.tool)
    secret = None if settings is None else settings.hook_secret
    if secret is not None:
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            Signer(secret.get_secret_value()).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            detail = f"The hook is not signed as it has to be: {error}."
            raise Refused(HTTPStatus.UNAUTHORIZED, detail, step="Sign it as Standard Webhooks 1.0 has it.") from error
    return derived_id("hook", job.id, told or digest_of(body))


async def _parameters(request: web.Request, job: LabelingJob, body: bytes) -> ReceiveParameters:
    if len(body) > INLINE_BYTES:
        blob = await request.app[SERVICES].blobs.put(body, media_type="application/octet-stream")
        return ReceiveParameters(job=job.id, blob=blob)
    return ReceiveParameters(job=job.id, body=body.decode(errors="replace"))


async def _job_of(request: web.Request) -> LabelingJob:
    jobs = request.app[SERVICES].database.documents(LabelingJob)
    page = await jobs.list(Query(equal={"token": request.match_info["token"]}), limit=1)
    if not page.items or page.items[0].tool != request.match_info["tool"]:
        raise NotFound("labeling job of this address", "…", step="Take the address from the job.")
    return page.items[0]
