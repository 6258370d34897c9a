from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_ALLOW: _ClassVar[Action]
    ACTION_FLAG: _ClassVar[Action]
    ACTION_SUBSTITUTE: _ClassVar[Action]
    ACTION_BLOCK: _ClassVar[Action]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_MILD: _ClassVar[Severity]
    SEVERITY_MODERATE: _ClassVar[Severity]
    SEVERITY_SEVERE: _ClassVar[Severity]

class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METHOD_UNSPECIFIED: _ClassVar[Method]
    METHOD_SUBSTITUTE: _ClassVar[Method]
    METHOD_PROMPT_SWAP: _ClassVar[Method]
    METHOD_NONE: _ClassVar[Method]

class Rung(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNG_UNSPECIFIED: _ClassVar[Rung]
    RUNG_UNGUARDED: _ClassVar[Rung]
    RUNG_SITES: _ClassVar[Rung]
    RUNG_ALL_LAYERS: _ClassVar[Rung]
    RUNG_BLOCK: _ClassVar[Rung]

class Verification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERIFICATION_UNSPECIFIED: _ClassVar[Verification]
    VERIFICATION_CLEAN: _ClassVar[Verification]
    VERIFICATION_TOXIC_TEXT: _ClassVar[Verification]
    VERIFICATION_NOT_VERIFIED: _ClassVar[Verification]
    VERIFICATION_NOT_NEEDED: _ClassVar[Verification]
ACTION_UNSPECIFIED: Action
ACTION_ALLOW: Action
ACTION_FLAG: Action
ACTION_SUBSTITUTE: Action
ACTION_BLOCK: Action
SEVERITY_UNSPECIFIED: Severity
SEVERITY_MILD: Severity
SEVERITY_MODERATE: Severity
SEVERITY_SEVERE: Severity
METHOD_UNSPECIFIED: Method
METHOD_SUBSTITUTE: Method
METHOD_PROMPT_SWAP: Method
METHOD_NONE: Method
RUNG_UNSPECIFIED: Rung
RUNG_UNGUARDED: Rung
RUNG_SITES: Rung
RUNG_ALL_LAYERS: Rung
RUNG_BLOCK: Rung
VERIFICATION_UNSPECIFIED: Verification
VERIFICATION_CLEAN: Verification
VERIFICATION_TOXIC_TEXT: Verification
VERIFICATION_NOT_VERIFIED: Verification
VERIFICATION_NOT_NEEDED: Verification

class CheckPromptRequest(_message.Message):
    __slots__ = ("prompt", "policy")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    policy: str
    def __init__(self, prompt: _Optional[str] = ..., policy: _Optional[str] = ...) -> None: ...

class CheckPromptResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ...) -> None: ...

class TextSpan(_message.Message):
    __slots__ = ("start", "end", "text", "cue")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CUE_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    text: str
    cue: str
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., text: _Optional[str] = ..., cue: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("start", "end", "text", "source", "rule", "category", "severity", "score", "action")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    text: str
    source: str
    rule: str
    category: str
    severity: Severity
    score: float
    action: Action
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., text: _Optional[str] = ..., source: _Optional[str] = ..., rule: _Optional[str] = ..., category: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ..., score: _Optional[float] = ..., action: _Optional[_Union[Action, str]] = ...) -> None: ...

class PolicyRef(_message.Message):
    __slots__ = ("name", "version", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("action", "spans", "findings", "donor_prompt", "policy", "reason")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    DONOR_PROMPT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: Action
    spans: _containers.RepeatedCompositeFieldContainer[TextSpan]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    donor_prompt: str
    policy: PolicyRef
    reason: str
    def __init__(self, action: _Optional[_Union[Action, str]] = ..., spans: _Optional[_Iterable[_Union[TextSpan, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., donor_prompt: _Optional[str] = ..., policy: _Optional[_Union[PolicyRef, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class GenerateImageRequest(_message.Message):
    __slots__ = ("prompt", "model", "policy", "seed", "steps", "guidance_scale", "width", "height", "pictures", "method")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    model: str
    policy: str
    seed: int
    steps: int
    guidance_scale: float
    width: int
    height: int
    pictures: int
    method: Method
    def __init__(self, prompt: _Optional[str] = ..., model: _Optional[str] = ..., policy: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., pictures: _Optional[int] = ..., method: _Optional[_Union[Method, str]] = ...) -> None: ...

class GenerateImageEvent(_message.Message):
    __slots__ = ("decision", "progress", "chunk", "summary")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    progress: Progress
    chunk: PictureChunk
    summary: Summary
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., chunk: _Optional[_Union[PictureChunk, _Mapping]] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("step", "steps", "attempt")
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    step: int
    steps: int
    attempt: int
    def __init__(self, step: _Optional[int] = ..., steps: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

class PictureChunk(_message.Message):
    __slots__ = ("picture", "data", "last")
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    picture: int
    data: bytes
    last: bool
    def __init__(self, picture: _Optional[int] = ..., data: _Optional[bytes] = ..., last: bool = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("seed", "pictures", "method", "rung", "verification", "sites", "timings", "decision", "model")
    class TimingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    SEED_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    seed: int
    pictures: int
    method: Method
    rung: Rung
    verification: Verification
    sites: _containers.RepeatedScalarFieldContainer[int]
    timings: _containers.ScalarMap[str, float]
    decision: Decision
    model: str
    def __init__(self, seed: _Optional[int] = ..., pictures: _Optional[int] = ..., method: _Optional[_Union[Method, str]] = ..., rung: _Optional[_Union[Rung, str]] = ..., verification: _Optional[_Union[Verification, str]] = ..., sites: _Optional[_Iterable[int]] = ..., timings: _Optional[_Mapping[str, float]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "default", "pipeline", "denoiser", "sites", "manifest_digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    DENOISER_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    default: bool
    pipeline: str
    denoiser: str
    sites: _containers.RepeatedScalarFieldContainer[int]
    manifest_digest: str
    def __init__(self, name: _Optional[str] = ..., default: bool = ..., pipeline: _Optional[str] = ..., denoiser: _Optional[str] = ..., sites: _Optional[_Iterable[int]] = ..., manifest_digest: _Optional[str] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("name", "default", "version", "digest", "categories")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    default: bool
    version: str
    digest: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., default: bool = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("version", "started", "uptime", "queued", "queue_limit", "in_flight", "accepting", "policies")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    version: str
    started: _timestamp_pb2.Timestamp
    uptime: _duration_pb2.Duration
    queued: int
    queue_limit: int
    in_flight: int
    accepting: bool
    policies: _containers.RepeatedCompositeFieldContainer[PolicyStatus]
    def __init__(self, version: _Optional[str] = ..., started: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., uptime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., queued: _Optional[int] = ..., queue_limit: _Optional[int] = ..., in_flight: _Optional[int] = ..., accepting: bool = ..., policies: _Optional[_Iterable[_Union[PolicyStatus, _Mapping]]] = ...) -> None: ...

class PolicyStatus(_message.Message):
    __slots__ = ("name", "version", "digest", "loaded", "error", "failed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    loaded: _timestamp_pb2.Timestamp
    error: str
    failed: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., loaded: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., error: _Optional[str] = ..., failed: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
