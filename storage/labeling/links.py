"""Links of a labeling job: to its images, which work without a key, and to its hook."""

import hmac

from schemas.labeling import LabelingJob
from schemas.schema import AssetId


def image_link(public_url: str, job: LabelingJob, asset: AssetId) -> str:
    """Return the address of an image of a job, signed for the job alone."""
    return f"{public_url.rstrip('/')}/v1/labeling/{job.id}/images/{asset}?signature={signature(job, asset)}"


def hook_link(public_url: str, job: LabelingJob) -> str:
    """Return the address that a tool tells of a job at."""
    return f"{public_url.rstrip('/')}/v1/hooks/{job.tool}/{job.token}"


def signature(job: LabelingJob, asset: AssetId) -> str:
    """Return what signs the link to an image: the job's own secret does."""
    return hmac.digest(job.token.encode(), f"image\n{asset}".encode(), "sha256").hex()
