"""Every kind of document that is kept: a test holds that none is missing."""

from typing import Final

from schemas.conflicts import ConflictSheet
from schemas.datasets import Dataset, Statistics, Tag, Version
from schemas.evaluations import Evaluation
from schemas.events import LoggedEvent
from schemas.executors import Executor
from schemas.following import Bookmark
from schemas.hosts import Host
from schemas.iterations import Iteration
from schemas.keys import ApiKey
from schemas.labeling import LabelingItem, LabelingJob
from schemas.letters import DeadLetter
from schemas.live_logs import LiveLog
from schemas.manifests import Segment
from schemas.models import Model
from schemas.projects import ClassList, Project
from schemas.requests import RememberedRequest
from schemas.rules import Rule, RuleRun
from schemas.schema import Document
from schemas.tasks import Task
from schemas.uploads import PartialUpload, Upload, UploadPart
from schemas.webhooks import Webhook

# The task comes first: whoever reads the kinds in this order finds the records of every task that had ended by then.
# So do the parts of an upload come before what they become.
KINDS: Final[tuple[type[Document], ...]] = (
    Task,
    ApiKey,
    Bookmark,
    ClassList,
    ConflictSheet,
    Dataset,
    DeadLetter,
    Evaluation,
    Executor,
    Host,
    Iteration,
    LabelingItem,
    LabelingJob,
    LiveLog,
    LoggedEvent,
    Model,
    PartialUpload,
    Project,
    RememberedRequest,
    Rule,
    RuleRun,
    Segment,
    Statistics,
    Tag,
    UploadPart,
    Upload,
    Version,
    Webhook,
)
