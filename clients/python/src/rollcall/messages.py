# Generated from proto/rollcall/v1 by "buf generate". Do not edit.
"""The messages of the contract, as frozen dataclasses, and its enumerations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .wire import ContractEnum, Image

__all__ = [
    "Advice",
    "AssignCropRequest",
    "AssignCropResponse",
    "BackupRequest",
    "BackupResponse",
    "Box",
    "BurstFrame",
    "Calibration",
    "CalibrationSource",
    "Candidate",
    "Change",
    "ChangedRecord",
    "CheckConsistencyRequest",
    "CheckConsistencyResponse",
    "Consent",
    "ConsentState",
    "Coverage",
    "CreateGalleryRequest",
    "CreateGalleryResponse",
    "CreatePairingCodeRequest",
    "CreatePairingCodeResponse",
    "CreateTokenRequest",
    "CreateTokenResponse",
    "Crop",
    "CropSimilarity",
    "Day",
    "DeleteCropRequest",
    "DeleteCropResponse",
    "DeleteGalleryRequest",
    "DeleteGalleryResponse",
    "DeleteStudentRequest",
    "DeleteStudentResponse",
    "DetectRequest",
    "DetectResponse",
    "Difference",
    "DueReason",
    "DueStudent",
    "EmbedRequest",
    "EmbedResponse",
    "Embedding",
    "ExportGalleryRequest",
    "ExportGalleryResponse",
    "ExportStudentRequest",
    "ExportStudentResponse",
    "ExportedCrop",
    "ExportedEmbedding",
    "ExportedModel",
    "ExportedStudent",
    "ExportedVector",
    "Face",
    "FoundFace",
    "FrameResult",
    "Gallery",
    "GetCalibrationRequest",
    "GetCalibrationResponse",
    "GetCropRequest",
    "GetCropResponse",
    "GetModelRequest",
    "GetModelResponse",
    "GetSettingsRequest",
    "GetSettingsResponse",
    "GetStudentRequest",
    "GetStudentResponse",
    "IdentifyBurstRequest",
    "IdentifyBurstResponse",
    "IdentifyRequest",
    "IdentifyResponse",
    "ImportProblem",
    "ImportRecordsRequest",
    "ImportRecordsResponse",
    "InactiveStudent",
    "LandmarkSource",
    "Line",
    "LineKind",
    "ListChangesRequest",
    "ListChangesResponse",
    "ListDaysRequest",
    "ListDaysResponse",
    "ListDueStudentsRequest",
    "ListDueStudentsResponse",
    "ListGalleriesRequest",
    "ListGalleriesResponse",
    "ListInactiveStudentsRequest",
    "ListInactiveStudentsResponse",
    "ListLinesRequest",
    "ListLinesResponse",
    "ListLookalikesRequest",
    "ListLookalikesResponse",
    "ListModelsRequest",
    "ListModelsResponse",
    "ListStudentsRequest",
    "ListStudentsResponse",
    "ListTokensRequest",
    "ListTokensResponse",
    "Liveness",
    "Lookalike",
    "LookalikeCrop",
    "MergeStudentsRequest",
    "MergeStudentsResponse",
    "Method",
    "Model",
    "ModelKind",
    "OperatingPoint",
    "Point",
    "Problem",
    "Quality",
    "Reason",
    "Receipt",
    "Record",
    "RecordCheckInRequest",
    "RecordCheckInResponse",
    "RevokeTokenRequest",
    "RevokeTokenResponse",
    "Role",
    "RollCallProbe",
    "RollCallRequest",
    "RollCallResponse",
    "Scope",
    "Seat",
    "SetConsentRequest",
    "SetConsentResponse",
    "SetDeleteAfterRequest",
    "SetDeleteAfterResponse",
    "Settings",
    "Shortfall",
    "Student",
    "Token",
    "UndoChangeRequest",
    "UndoChangeResponse",
    "UpdateCalibrationRequest",
    "UpdateCalibrationResponse",
    "UpdateSettingsRequest",
    "UpdateSettingsResponse",
    "UpdateStudentRequest",
    "UpdateStudentResponse",
    "Verdict",
    "VerifyRequest",
    "VerifyResponse",
    "Warning",
    "WatchVerdictsRequest",
    "WatchVerdictsResponse",
]


class Face(ContractEnum):
    """Face says which face of a photo is meant."""

    UNSPECIFIED = "FACE_UNSPECIFIED"
    """The image is no photo: it is a crop."""

    ONLY = "FACE_ONLY"
    """The only one. With more faces, the photo is unusable (REASON_SEVERAL_FACES)."""

    LARGEST = "FACE_LARGEST"
    """The largest one."""


class Reason(ContractEnum):
    """Reason says why a crop is unusable, or why a verdict is not a match."""

    UNSPECIFIED = "REASON_UNSPECIFIED"
    """Never sent."""

    NO_FACE = "REASON_NO_FACE"
    """The locator finds no face on the crop."""

    TOO_SMALL = "REASON_TOO_SMALL"
    """The face has too few pixels between the eyes."""

    TOO_DARK = "REASON_TOO_DARK"
    """The face is too dark."""

    TOO_BRIGHT = "REASON_TOO_BRIGHT"
    """The face is too bright."""

    TOO_BLURRED = "REASON_TOO_BLURRED"
    """The face is too blurred."""

    SEVERAL_FACES = "REASON_SEVERAL_FACES"
    """There is another face of similar size."""

    NOT_UPRIGHT = "REASON_NOT_UPRIGHT"
    """The face is not turned as the landmarks of the request say, or it is unclear
    how the face is turned.
    """

    DISTORTED = "REASON_DISTORTED"
    """The landmarks fit no face, or they fit a stretched face."""

    LOW_QUALITY = "REASON_LOW_QUALITY"
    """The face cannot be trusted: see Quality.score."""

    BELOW_THRESHOLD = "REASON_BELOW_THRESHOLD"
    """The best student is below the threshold."""

    TWO_STUDENTS_CLOSE = "REASON_TWO_STUDENTS_CLOSE"
    """The two best students are closer together than the margin."""

    NOBODY_ENROLLED = "REASON_NOBODY_ENROLLED"
    """No student is enrolled in scope under this model."""

    TAKEN_BY_ANOTHER_CROP = "REASON_TAKEN_BY_ANOTHER_CROP"
    """In a roll call: the student was assigned to another crop that fits better."""

    TWO_CROPS_CLOSE = "REASON_TWO_CROPS_CLOSE"
    """In a roll call: the student fits another crop almost as well."""

    ANOTHER_PERSON = "REASON_ANOTHER_PERSON"
    """In a burst: the frame shows another person than most frames, or no person is on
    more than half of the frames that can be judged.
    """


class LandmarkSource(ContractEnum):
    """LandmarkSource says where the landmarks that aligned a crop came from."""

    UNSPECIFIED = "LANDMARK_SOURCE_UNSPECIFIED"
    """Never sent."""

    NONE = "LANDMARK_SOURCE_NONE"
    """No landmarks: the model needs none, or the server runs without a locator."""

    REQUEST = "LANDMARK_SOURCE_REQUEST"
    """From the request."""

    LOCATOR = "LANDMARK_SOURCE_LOCATOR"
    """Found by the locator."""


class Warning(ContractEnum):
    """Warning comes with a valid answer. It says that somebody should look at the
    server, because people may not be recognised.
    """

    UNSPECIFIED = "WARNING_UNSPECIFIED"
    """Never sent."""

    OTHER_MODEL = "WARNING_OTHER_MODEL"
    """The model is not that of the gallery's settings: only the crops that this model
    embedded are compared.
    """

    OTHER_RECIPE = "WARNING_OTHER_RECIPE"
    """The gallery's embeddings under the model were made by another recipe (another
    locator, another version of the alignment) and compare less well. Embed the
    crops again. If you want the new recipe, choose the model again
    (UpdateSettings).
    """

    NOT_CALIBRATED = "WARNING_NOT_CALIBRATED"
    """The request or the settings have another fpir than the default. It has no
    effect, because neither the model nor the gallery is calibrated. A match needs the threshold that
    the model's makers publish, whatever the size of the gallery. So more strangers
    may get a name than the fpir says.
    """


class Verdict(ContractEnum):
    """Verdict is the answer to "whose face is this?"."""

    UNSPECIFIED = "VERDICT_UNSPECIFIED"
    """Never sent."""

    MATCH = "VERDICT_MATCH"
    """One student reaches the threshold, and no other comes within the margin."""

    AMBIGUOUS = "VERDICT_AMBIGUOUS"
    """Two or more students are too close to tell apart: ask a person."""

    UNKNOWN = "VERDICT_UNKNOWN"
    """No student in scope reaches the threshold."""

    UNUSABLE = "VERDICT_UNUSABLE"
    """The crop cannot be judged; reasons says why. Take another picture."""


class Liveness(ContractEnum):
    """Liveness says whether a face is that of a living person, and not of a picture."""

    UNSPECIFIED = "LIVENESS_UNSPECIFIED"
    """Never sent."""

    NOT_CHECKED = "LIVENESS_NOT_CHECKED"
    """It was not checked: a picture of a student passes for the student."""


class ConsentState(ContractEnum):
    """ConsentState is what was said."""

    UNSPECIFIED = "CONSENT_STATE_UNSPECIFIED"
    """Never sent."""

    GIVEN = "CONSENT_STATE_GIVEN"
    """The face may be enrolled."""

    REFUSED = "CONSENT_STATE_REFUSED"
    """It may not."""

    WITHDRAWN = "CONSENT_STATE_WITHDRAWN"
    """It may not any more."""


class Advice(ContractEnum):
    """Advice says what to do about two students who look alike. A person decides, by looking
    at both.
    """

    UNSPECIFIED = "ADVICE_UNSPECIFIED"
    """Never sent."""

    MERGE = "ADVICE_MERGE"
    """They are as alike as one person: if they are, MergeStudents."""

    ASSIGN = "ADVICE_ASSIGN"
    """One of the two crops matches the other student, and not the other crops of its own: if
    it shows the other student, AssignCrop.
    """

    ENROL_MORE = "ADVICE_ENROL_MORE"
    """They may be siblings, or alike by chance: leave both, and enrol more crops of both."""


class DueReason(ContractEnum):
    """DueReason says why a student should be photographed again."""

    UNSPECIFIED = "DUE_REASON_UNSPECIFIED"
    """Never sent."""

    NO_CROP = "DUE_REASON_NO_CROP"
    """There is no crop that the gallery's model can recognise the student by."""

    POOR_CROPS = "DUE_REASON_POOR_CROPS"
    """All crops are poor: they can be enrolled, but are much less like other pictures of
    the student than good ones.
    """

    FALLING = "DUE_REASON_FALLING"
    """The student's matches are clearly less similar than a month ago, by Identify, IdentifyBurst,
    Verify or RollCall, each compared with itself alone: by the lines of the journal since the
    newest picture, as far as it keeps them.
    """

    OLD_CROPS = "DUE_REASON_OLD_CROPS"
    """The newest picture is older than max_age_days."""

    FEW_CROPS = "DUE_REASON_FEW_CROPS"
    """There are fewer than three crops. Three recognise better than one."""


class CalibrationSource(ContractEnum):
    """CalibrationSource says where a calibration comes from."""

    UNSPECIFIED = "CALIBRATION_SOURCE_UNSPECIFIED"
    """Never sent."""

    PUBLISHED = "CALIBRATION_SOURCE_PUBLISHED"
    """There is none: a match needs the threshold that the model's makers publish,
    whatever the fpir.
    """

    MODEL = "CALIBRATION_SOURCE_MODEL"
    """The model's own calibration."""

    GALLERY = "CALIBRATION_SOURCE_GALLERY"
    """The similarities of the gallery's students."""

    OPERATOR = "CALIBRATION_SOURCE_OPERATOR"
    """Given by UpdateCalibration."""


class Method(ContractEnum):
    """Method is how a student was checked in without a face."""

    UNSPECIFIED = "METHOD_UNSPECIFIED"
    """Never sent."""

    CARD = "METHOD_CARD"
    """With a card."""

    PIN = "METHOD_PIN"
    """With a PIN."""

    BY_HAND = "METHOD_BY_HAND"
    """A person entered it."""

    EXEMPT = "METHOD_EXEMPT"
    """The student need not check in."""

    CANCELLED = "METHOD_CANCELLED"
    """An earlier line is taken back."""


class LineKind(ContractEnum):
    """LineKind is what a line is about."""

    UNSPECIFIED = "LINE_KIND_UNSPECIFIED"
    """Never sent."""

    VERDICT = "LINE_KIND_VERDICT"
    """A verdict on a crop: of Identify, or of one seat of RollCall."""

    CHECK_IN = "LINE_KIND_CHECK_IN"
    """A check-in that was recorded with RecordCheckIn."""

    REFUSAL = "LINE_KIND_REFUSAL"
    """A call that was refused. If there are many, not all of them are written."""

    LOST = "LINE_KIND_LOST"
    """Lines that were lost, because the disk was full or too slow."""


class ModelKind(ContractEnum):
    """ModelKind is what a model does."""

    UNSPECIFIED = "MODEL_KIND_UNSPECIFIED"
    """Never sent."""

    EMBEDDER = "MODEL_KIND_EMBEDDER"
    """Turns a crop into an embedding."""

    LOCATOR = "MODEL_KIND_LOCATOR"
    """Finds the five landmarks of a crop."""

    DETECTOR = "MODEL_KIND_DETECTOR"
    """Finds the faces of a photo."""


class Role(ContractEnum):
    """Role is what a caller is for, and so what it may do."""

    UNSPECIFIED = "ROLE_UNSPECIFIED"
    """Never sent."""

    CHECKIN = "ROLE_CHECKIN"
    """The door: Identify, RollCall and Detect. Its answers have at most three
    candidates, and no ids of crops.
    """

    REGISTER = "ROLE_REGISTER"
    """The attendance system behind: ListStudents."""

    ENROLL = "ROLE_ENROLL"
    """The office: what a checkin may, and to enrol and correct students and crops."""

    ADMIN = "ROLE_ADMIN"
    """Everything."""

    METRICS = "ROLE_METRICS"
    """Only the metrics, at /metrics."""


@dataclass(frozen=True)
class Point:
    """A Point is a place in a crop, in pixels from its upper left corner. The crop's
    EXIF orientation is applied first.
    """

    x: float = 0.0
    """Pixels to the right."""

    y: float = 0.0
    """Pixels down."""


@dataclass(frozen=True)
class EmbedRequest:
    """EmbedRequest is a crop, and what to do with it."""

    image: Image = field(default=b"", repr=False)
    """A crop, or with face a photo."""

    crop_id: str = ""
    """The id to store it under; empty: the crop is only measured."""

    student_id: str = ""
    """Whose face it is. Empty: a new crop is stored but never matched, and an
    enrolled crop stays with its student.
    """

    groups: Sequence[str] = ()
    """Groups to add the student to."""

    model: str = ""
    """The model; empty: the gallery's."""

    landmarks: Sequence[Point] = ()
    """The five landmarks, if the client knows them, in this order: left eye, right
    eye, nose, left and right corner of the mouth. Left and right are as seen in
    the image. Empty: the locator finds them.
    """

    allow_duplicate: bool = False
    """Enrol the crop even if it looks like a crop of another student (twins)."""

    allow_unlike: bool = False
    """Enrol the crop even if it is unlike the student's other crops: a grown child, or
    crops of which a wrong one came first.
    """

    return_embedding: bool = False
    """Return the embedding too. Only a token that was made for it may ask: an
    embedding is biometric data, from which a face can be rebuilt.
    """

    face: Face = Face.UNSPECIFIED
    """Which face of a photo is meant. Not with landmarks. Unspecified: the image is a
    crop.
    """


@dataclass(frozen=True)
class Shortfall:
    """A Shortfall is a figure that misses its limit. A crop that is stored has to reach
    more than a probe.
    """

    reason: Reason = Reason.UNSPECIFIED
    """The reason that it is."""

    measured: float = 0.0
    """What was measured: the eye_distance for REASON_TOO_SMALL (without landmarks the
    shorter side of the crop, in pixels), the brightness for REASON_TOO_DARK and
    REASON_TOO_BRIGHT, the sharpness for REASON_TOO_BLURRED, the score for
    REASON_LOW_QUALITY.
    """

    limit: float = 0.0
    """What it must be at least; for REASON_TOO_BRIGHT at most."""

    message: str = ""
    """What is wrong and what to do, with both figures, for a person."""


@dataclass(frozen=True)
class Quality:
    """Quality is what was measured on a crop."""

    reasons: Sequence[Reason] = ()
    """Why the crop is unusable; empty when it is usable."""

    locator_score: float = 0.0
    """How sure the locator is that this is a face, 0 to 1; 0 when none was asked."""

    eye_distance: float = 0.0
    """Distance of the eyes in pixels of the crop; 0 without landmarks."""

    brightness: float = 0.0
    """Mean luma of the face, 0 (black) to 1 (white)."""

    sharpness: float = 0.0
    """Variance of the Laplacian of the face's luma at a fixed size; higher is
    sharper.
    """

    width: int = 0
    """Width of the crop in pixels."""

    height: int = 0
    """Height of the crop in pixels."""

    turned: int = 0
    """By how many degrees the crop was turned to the left to make the face upright:
    0, 90, 180 or 270. If it is not 0, a camera hangs on its side or upside down, or
    a picture lost its EXIF orientation.
    """

    stretched: float = 0.0
    """How many times too wide the face was in the crop: 1, 9/16, 3/4, 4/3 or 16/9.
    Only what was noticed and corrected counts.
    """

    score: float = 0.0
    """How far the crop can be trusted, 0 to 1: how similar it will be to a good crop of
    the same person, as the figures below and above foretell it. It is for comparing
    crops, whatever model embeds them.
    """

    contrast: float = 0.0
    """Standard deviation of the luma of the face, 0 (flat) to 0.5."""

    yaw: float = 0.0
    """How the head is turned, in degrees: to the right, as seen in the crop; 0 without
    landmarks.
    """

    pitch: float = 0.0
    """The same: upwards."""

    roll: float = 0.0
    """The same: tilted clockwise, as seen in the crop, once it was turned upright."""

    residual: float = 0.0
    """How far the landmarks are from those of a head that is turned like this, in
    distances between its eyes; 0 without landmarks.
    """

    shortfalls: Sequence[Shortfall] = ()
    """The reasons that rest on a limit: what was measured, and the limit."""


@dataclass(frozen=True)
class CropSimilarity:
    """A CropSimilarity is how similar a probe is to one crop of a student."""

    crop_id: str = ""
    """The crop."""

    similarity: float = 0.0
    """Cosine similarity, -1 to 1."""

    alone: bool = False
    """True when the crop is not part of the centroid. It does not agree with the student's
    other crops (it is poor, or shows somebody else), or 32 newer ones are enough.
    """


@dataclass(frozen=True)
class Candidate:
    """A Candidate is a student whom a probe resembles."""

    student_id: str = ""
    """The student."""

    similarity: float = 0.0
    """The student's score, -1 to 1: the cosine similarity of the probe and the centroid
    of the student's crops that agree with each other, or of one that does not, if
    that is greater. With one crop, the similarity to it.
    """

    crop_id: str = ""
    """The student's most similar crop."""

    crops: Sequence[CropSimilarity] = ()
    """All of the student's crops, the most similar one first, in an answer of Identify.
    Not for a checkin.
    """


@dataclass(frozen=True)
class EmbedResponse:
    """EmbedResponse is what was measured and stored."""

    quality: Quality | None = None
    """What was measured. If it has reasons, the crop is unusable and nothing was
    stored. This is answered only if the request has no crop_id; with one, an
    unusable crop is an error.
    """

    dimension: int = 0
    """Number of components of the embedding."""

    model: str = ""
    """The model that was used."""

    digest: str = ""
    """SHA-256 of the model's file, in hex."""

    crop_id: str = ""
    """The id that it was stored under; empty when it was only measured."""

    student_id: str = ""
    """The student that the crop now belongs to. If a correction (AssignCrop) came
    before, this is not the student of the request, and corrected is set.
    """

    stored: bool = False
    """True when the embedding is on disk."""

    enrolled: bool = False
    """True when Identify can match it."""

    replaced: bool = False
    """True when it replaced an earlier embedding of this crop and model."""

    corrected: bool = False
    """True when an earlier AssignCrop chose the student."""

    landmarks: Sequence[Point] = ()
    """The landmarks that aligned the crop, in its pixels."""

    landmark_source: LandmarkSource = LandmarkSource.UNSPECIFIED
    """Where they came from."""

    embedding: Sequence[float] = field(default=(), repr=False)
    """The embedding, of unit length; only if the request asked for it."""

    recipe: str = ""
    """How it was made: the model, the locator and the version of decoding and
    alignment. Compare it only as a whole.
    """

    warnings: Sequence[Warning] = ()
    """What somebody should look at."""

    resembles: Candidate | None = None
    """Another student whom the face resembles more than 98 of 100 new students resemble
    anybody. The crop was enrolled all the same, because the similarity is too low to
    refuse it as a duplicate. It may be one child under two ids, or siblings: look
    at both.
    """

    student_crops: int = 0
    """How many crops the student is enrolled with now. Three are a good number: a
    quarter as many probes are missed as with one. With five it is a seventh.
    """


@dataclass(frozen=True)
class Scope:
    """A Scope is the part of the gallery that a probe may match: the students of
    the listed groups and the listed students. An empty scope is everybody.
    """

    groups: Sequence[str] = ()
    """Groups (a class, a course) whose students are in scope."""

    student_ids: Sequence[str] = ()
    """Students in scope. A listed student who has no enrolled crop cannot be
    matched and is not counted in students_in_scope.
    """


@dataclass(frozen=True)
class IdentifyRequest:
    """IdentifyRequest is a probe, and the students that it may show."""

    image: Image = field(default=b"", repr=False)
    """A crop, or with face a photo."""

    crop_id: str = ""
    """Or the id of a stored crop. It is not compared with itself. Not for a checkin."""

    scope: Scope | None = None
    """The students that the probe may show; empty: everybody, or the groups of the
    caller's token.
    """

    model: str = ""
    """The model; empty: the gallery's."""

    landmarks: Sequence[Point] = ()
    """As in EmbedRequest."""

    fpir: float = 0.0
    """The wanted false positive identification rate: the share of strangers' probes
    that may get a MATCH. 0: the gallery's rate, which is one in 1,000 unless its
    settings say otherwise. It has an effect only if the model is calibrated.
    """

    max_candidates: int = 0
    """How many candidates to return; 0: five. A checkin gets at most three, without
    the ids of crops.
    """

    face: Face = Face.UNSPECIFIED
    """As in EmbedRequest."""

    await_line: bool = False
    """Answer only when the verdict's line in the journal is on disk, and tell its number,
    so that RecordCheckIn can take it back.
    """


@dataclass(frozen=True)
class IdentifyResponse:
    """IdentifyResponse is the verdict and what it rests on."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """The verdict."""

    student_id: str = ""
    """The student, only with VERDICT_MATCH."""

    similarity: float = 0.0
    """Similarity of the best student, -1 to 1."""

    threshold: float = 0.0
    """The similarity that a match needs here."""

    candidates: Sequence[Candidate] = ()
    """The most similar students, best first, including those below the threshold."""

    reasons: Sequence[Reason] = ()
    """Why it is not a match."""

    model: str = ""
    """The model that was used."""

    dimension: int = 0
    """Number of components of its embedding."""

    quality: Quality | None = None
    """What was measured on the probe."""

    students_in_scope: int = 0
    """How many enrolled students the probe was compared with."""

    exact: bool | None = None
    """False: the answer rests on an approximate search, which may have missed
    somebody. This happens only with the index engines hnsw and coder-hnsw.
    """

    warnings: Sequence[Warning] = ()
    """What somebody should look at."""

    fpir: float | None = None
    """The fpir whose threshold the similarity would just pass: how likely a stranger
    is to be so similar to anybody in scope. Left out where the model is not
    calibrated.
    """

    line: int = 0
    """The number of the verdict's line in the journal; 0 unless await_line asked for it."""


@dataclass(frozen=True)
class VerifyRequest:
    """VerifyRequest is a face, and whose it is said to be."""

    student_id: str = ""
    """The student whom the face is said to be."""

    image: Image = field(default=b"", repr=False)
    """A crop, or with face a photo."""

    landmarks: Sequence[Point] = ()
    """As in EmbedRequest."""

    face: Face = Face.UNSPECIFIED
    """As in EmbedRequest."""

    model: str = ""
    """The model; empty: the gallery's."""

    fmr: float = 0.0
    """The wanted false match rate: the share of other people who pass for the student.
    0: one in 1,000. It has an effect only if the model is calibrated.
    """


@dataclass(frozen=True)
class VerifyResponse:
    """VerifyResponse is the verdict on a claim."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """VERDICT_MATCH: it is the student. VERDICT_UNKNOWN: it is somebody else, or the
    picture is too poor. VERDICT_UNUSABLE: the face cannot be judged.
    """

    similarity: float = 0.0
    """Similarity of the face and the student, -1 to 1."""

    threshold: float = 0.0
    """The similarity that a match needs."""

    reasons: Sequence[Reason] = ()
    """Why it is not a match."""

    model: str = ""
    """The model that was used."""

    dimension: int = 0
    """Number of components of its embedding."""

    quality: Quality | None = None
    """What was measured on the face."""

    liveness: Liveness = Liveness.UNSPECIFIED
    """Whether it was a living person."""

    warnings: Sequence[Warning] = ()
    """What somebody should look at."""

    fmr: float | None = None
    """The fmr whose threshold the similarity would just pass: how likely somebody else is
    to be so similar to the student. Left out where the model is not calibrated.
    """


@dataclass(frozen=True)
class Box:
    """A Box is an upright rectangle. It may reach beyond the photo."""

    left: float = 0.0
    """Its left edge."""

    top: float = 0.0
    """Its upper edge."""

    width: float = 0.0
    """Its width."""

    height: float = 0.0
    """Its height."""


@dataclass(frozen=True)
class BurstFrame:
    """A BurstFrame is one frame, or one crop, of the person. Send the frame as the camera
    took it, with what is around the face, if you can: whether a face is alive can only
    be judged with it.
    """

    image: Image = field(default=b"", repr=False)
    """A crop, or with box, landmarks or face a frame."""

    box: Box | None = None
    """Where the face is in the frame, as a detector says. Without landmarks, they are
    looked for there.
    """

    landmarks: Sequence[Point] = ()
    """As in EmbedRequest."""

    face: Face = Face.UNSPECIFIED
    """Which face of the frame is meant, if neither box nor landmarks say it."""


@dataclass(frozen=True)
class IdentifyBurstRequest:
    """IdentifyBurstRequest is some frames of one person, and the students that they may
    show.
    """

    frames: Sequence[BurstFrame] = ()
    """The frames, in the order in which they were taken. All images together may have
    about 45 MiB.
    """

    scope: Scope | None = None
    """The students that the frames may show; empty: everybody, or the groups of the
    caller's token.
    """

    model: str = ""
    """The model; empty: the gallery's."""

    fpir: float = 0.0
    """As in IdentifyRequest. It is the rate of bursts, not of frames."""

    max_candidates: int = 0
    """As in IdentifyRequest."""

    await_line: bool = False
    """As in IdentifyRequest."""


@dataclass(frozen=True)
class FrameResult:
    """A FrameResult says what one frame was good for."""

    counted: bool = False
    """True when the verdict rests on this frame too."""

    reasons: Sequence[Reason] = ()
    """Why it does not count."""

    quality: Quality | None = None
    """What was measured on the face."""

    agreement: float = 0.0
    """Similarity of this face and those of the frames that count, without this one, -1
    to 1. 0 if there is no other, or no face.
    """


@dataclass(frozen=True)
class IdentifyBurstResponse:
    """IdentifyBurstResponse is the verdict on a burst and what it rests on."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """The verdict. VERDICT_UNUSABLE: no frame can be judged, or there are too many
    people to say who is meant.
    """

    student_id: str = ""
    """The student, only with VERDICT_MATCH."""

    similarity: float = 0.0
    """Similarity of the best student and all frames that count together, -1 to 1."""

    threshold: float = 0.0
    """The similarity that a match needs here. It rises with how much the frames differ
    from each other.
    """

    candidates: Sequence[Candidate] = ()
    """The most similar students, best first, including those below the threshold."""

    reasons: Sequence[Reason] = ()
    """Why it is not a match."""

    model: str = ""
    """The model that was used."""

    dimension: int = 0
    """Number of components of its embedding."""

    students_in_scope: int = 0
    """How many enrolled students the frames were compared with."""

    exact: bool | None = None
    """As in IdentifyResponse."""

    frames: Sequence[FrameResult] = ()
    """One for each frame, in their order."""

    liveness: Liveness = Liveness.UNSPECIFIED
    """Whether it was a living person."""

    warnings: Sequence[Warning] = ()
    """What somebody should look at."""

    fpir: float | None = None
    """As in IdentifyResponse."""

    line: int = 0
    """As in IdentifyResponse."""


@dataclass(frozen=True)
class RollCallProbe:
    """RollCallProbe is one crop of the picture."""

    image: Image = field(default=b"", repr=False)
    """The image of one face."""

    landmarks: Sequence[Point] = ()
    """As in EmbedRequest."""


@dataclass(frozen=True)
class RollCallRequest:
    """RollCallRequest is a photo of a class, or the crops of one."""

    probes: Sequence[RollCallProbe] = ()
    """The crops, at most one of each person."""

    scope: Scope | None = None
    """Who should be there; empty: everybody, or the groups of the caller's token."""

    model: str = ""
    """The model; empty: the gallery's."""

    fpir: float = 0.0
    """As in IdentifyRequest, for each face."""

    photo: Image = field(default=b"", repr=False)
    """Or the photo, with at most 200 faces."""

    least_size: float = 0.0
    """The size of the smallest face of the photo that has to be found, as in
    DetectRequest.
    """


@dataclass(frozen=True)
class FoundFace:
    """A FoundFace is one face of a photo. Places are in pixels of the photo as shown;
    (0, 0) is the centre of the upper left pixel.
    """

    box: Box | None = None
    """Where the face is, from the brows to the chin."""

    landmarks: Sequence[Point] = ()
    """The five landmarks, in this order: left eye, right eye, nose, left and right
    corner of the mouth. Left and right are as seen in the image. Embed, Identify and
    Verify take them together with the same image, if it has at most 8 MiB. For
    a larger image, cut out the face with its surroundings, and send the cut with
    the landmarks counted from its upper left corner. Or save the photo smaller
    before Detect.
    """

    size: float = 0.0
    """Side of the square around the face, in pixels: 3.2 times the distance of the
    eyes.
    """

    score: float = 0.0
    """How sure it is that this is a face, 0.6 to 1."""

    quality: Quality | None = None
    """What was measured on the face; its width and height are the photo's."""

    reasons: Sequence[Reason] = ()
    """Why the face could not be identified, the same as in quality; empty: it could
    be.
    """


@dataclass(frozen=True)
class Seat:
    """A Seat is one face of a roll call and whose it is."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """The verdict on this face."""

    student_id: str = ""
    """The student, only with VERDICT_MATCH."""

    similarity: float = 0.0
    """Similarity of the assigned student; if there is none, of the best one."""

    candidates: Sequence[Candidate] = ()
    """The most similar students, best first."""

    reasons: Sequence[Reason] = ()
    """Why it is not a match."""

    quality: Quality | None = None
    """What was measured on the crop."""

    assigned: str = ""
    """The student that was assigned to this face, with VERDICT_MATCH or
    VERDICT_AMBIGUOUS. With VERDICT_AMBIGUOUS the student is neither matched nor
    absent: ask a person.
    """

    face: FoundFace | None = None
    """Where the face is in the photo; absent for a probe."""

    fpir: float | None = None
    """The fpir whose threshold the similarity would just pass, as in IdentifyResponse."""

    threshold: float = 0.0
    """The similarity that a match needs at this seat. It is lower than that of the roll
    call if the student was found among those whom no other face had taken.
    """


@dataclass(frozen=True)
class RollCallResponse:
    """RollCallResponse is who was seen and who was not."""

    seats: Sequence[Seat] = ()
    """One for each probe, in their order; or one for each face of the photo, the
    largest first.
    """

    absent: Sequence[str] = ()
    """The students in scope that were assigned to no face, sorted."""

    unknown: Sequence[int] = ()
    """Indexes of the seats that nobody was assigned to, ascending. Unusable faces are
    among them.
    """

    model: str = ""
    """The model that was used."""

    dimension: int = 0
    """Number of components of its embedding."""

    threshold: float = 0.0
    """The similarity that a match needs among all in scope. Whoever has a seat is nobody
    else's face, so it is lower for those who are left: see Seat.threshold.
    """

    warnings: Sequence[Warning] = ()
    """What somebody should look at."""

    width: int = 0
    """Width of the photo in pixels, as shown: after its EXIF orientation. 0 for probes."""

    height: int = 0
    """Height of the photo in pixels, as shown. 0 for probes."""


@dataclass(frozen=True)
class DetectRequest:
    """DetectRequest is a photo or a frame."""

    image: Image = field(default=b"", repr=False)
    """The image, with any number of faces."""

    least_size: float = 0.0
    """The size of the smallest face that has to be found, in pixels, measured like
    FoundFace.size. The work grows with its inverse square. 0 means 48 in a frame of up
    to 640 x 480 pixels, 24 in a photo of up to 6 megapixels, 34 in one of 12
    megapixels and 48 in one of 24. Most faces down to five sixths of this size are
    found too. The work is bounded: in a photo of 24 megapixels, faces smaller than
    24 are not looked for.
    """


@dataclass(frozen=True)
class DetectResponse:
    """DetectResponse is the faces of a photo."""

    faces: Sequence[FoundFace] = ()
    """The faces, the largest first."""

    width: int = 0
    """Width of the photo in pixels, as shown: after its EXIF orientation."""

    height: int = 0
    """Height of the photo in pixels, as shown."""

    model: str = ""
    """The detector that found them."""


@dataclass(frozen=True)
class BackupRequest:
    """BackupRequest asks for a backup."""


@dataclass(frozen=True)
class BackupResponse:
    """BackupResponse is the next part of the file."""

    content: bytes = field(default=b"", repr=False)
    """The bytes that follow those of the response before."""

    bytes_done: int = 0
    """How many bytes of the data folder were sent."""

    bytes_total: int = 0
    """How many there are."""


@dataclass(frozen=True)
class GetStudentRequest:
    """GetStudentRequest names a student."""

    student_id: str = ""
    """The student."""


@dataclass(frozen=True)
class Embedding:
    """An Embedding is the record of one vector: where it came from."""

    model: str = ""
    """The model that made it."""

    digest: str = ""
    """SHA-256 of the model's file, in hex."""

    quality: Quality | None = None
    """What was measured on the crop."""

    created: datetime | None = None
    """When it was made."""

    recipe: str = ""
    """How it was made: the model, the locator and the version of decoding and
    alignment. Compare it only as a whole.
    """


@dataclass(frozen=True)
class Crop:
    """A Crop is what the gallery keeps of an enrolled image. The image is not kept."""

    crop_id: str = ""
    """The crop's opaque id, in Unicode's form NFC; requests may name it in any form."""

    student_id: str = ""
    """Whose face it is; empty when it is stored but not enrolled."""

    corrected: bool = False
    """True when AssignCrop chose the student: a later Embed does not change it."""

    embeddings: Sequence[Embedding] = ()
    """The embeddings of the crop, one for each model, without their values."""

    created: datetime | None = None
    """When the crop first came into the gallery."""

    updated: datetime | None = None
    """When the crop's record last changed."""


@dataclass(frozen=True)
class Consent:
    """Consent is what was said about enrolling a student's face."""

    state: ConsentState = ConsentState.UNSPECIFIED
    """What was said."""

    reference: str = ""
    """Where it is written down, as the school calls it: "form 12". No more than that."""

    date: str = ""
    """The day on which it was said, as "2026-07-31"; empty in a request: today, UTC."""


@dataclass(frozen=True)
class Student:
    """A Student is a person whom crops belong to."""

    student_id: str = ""
    """The student's opaque id, in Unicode's form NFC; requests may name it in any form."""

    groups: Sequence[str] = ()
    """The groups that the student is in, sorted."""

    crops: Sequence[Crop] = ()
    """The student's crops, sorted by id. Lists leave them out."""

    crop_count: int = 0
    """How many crops the student has."""

    created: datetime | None = None
    """When the student first came into the gallery."""

    updated: datetime | None = None
    """When the student's record last changed."""

    consent: Consent | None = None
    """What was said about enrolling the student's face; absent: nothing was noted."""

    delete_after: str = ""
    """The last day on which the student is kept, as "2026-07-31"; empty: no day is set."""


@dataclass(frozen=True)
class GetStudentResponse:
    """GetStudentResponse is the student."""

    student: Student | None = None
    """The student with its crops."""


@dataclass(frozen=True)
class ListStudentsRequest:
    """ListStudentsRequest asks for a page."""

    page_size: int = 0
    """At most this many; 0: 100."""

    page_token: str = ""
    """next_page_token of the page before; empty: the first page."""

    group: str = ""
    """Only students of this group; empty: all."""


@dataclass(frozen=True)
class ListStudentsResponse:
    """ListStudentsResponse is a page."""

    students: Sequence[Student] = ()
    """The students by id, without their crops."""

    next_page_token: str = ""
    """Asks for the next page; empty on the last."""

    total: int = 0
    """How many students there are in all, or in the group if the request names one."""


@dataclass(frozen=True)
class UpdateStudentRequest:
    """UpdateStudentRequest is a student's new groups."""

    student_id: str = ""
    """The student."""

    groups: Sequence[str] = ()
    """All groups that the student is in from now on; empty: none."""

    create: bool = False
    """Makes the student if there is none, without crops."""


@dataclass(frozen=True)
class UpdateStudentResponse:
    """UpdateStudentResponse is the student as it is now."""

    student: Student | None = None
    """The student with its crops."""

    change: int = 0
    """The number of the change, for UndoChange."""


@dataclass(frozen=True)
class MergeStudentsRequest:
    """MergeStudentsRequest names two students who are one person."""

    from_student_id: str = ""
    """The student whose crops and groups go to the other one, and who is then gone."""

    into_student_id: str = ""
    """The student who stays."""


@dataclass(frozen=True)
class MergeStudentsResponse:
    """MergeStudentsResponse is the student who stays."""

    student: Student | None = None
    """The student with its crops."""

    crops_moved: int = 0
    """How many crops came from the other one."""

    change: int = 0
    """The number of the change, for UndoChange."""


@dataclass(frozen=True)
class ListLookalikesRequest:
    """ListLookalikesRequest asks for a page."""

    page_size: int = 0
    """At most this many pairs; 0: 100."""

    page_token: str = ""
    """next_page_token of the page before; empty: the first page."""


@dataclass(frozen=True)
class LookalikeCrop:
    """A LookalikeCrop is one side of a pair."""

    student_id: str = ""
    """The student."""

    crop_id: str = ""
    """Its crop that is nearest to the other student."""

    own_similarity: float = 0.0
    """How similar the crop is to the nearest other one of its own student; 0 if there is
    no other.
    """


@dataclass(frozen=True)
class Lookalike:
    """A Lookalike is a pair of students who look alike."""

    first: LookalikeCrop | None = None
    """The crop that would be better assigned to the other student, where that is the advice;
    otherwise that of the student with the lower id.
    """

    second: LookalikeCrop | None = None
    """That of the other student."""

    similarity: float = 0.0
    """Similarity of the two crops."""

    fmr: float = 0.0
    """The share of the comparisons of two different people that come to this similarity, by
    the model's calibration; 0 without one.
    """

    advice: Advice = Advice.UNSPECIFIED
    """What to do."""


@dataclass(frozen=True)
class ListLookalikesResponse:
    """ListLookalikesResponse is a page."""

    lookalikes: Sequence[Lookalike] = ()
    """The pairs that were found in this portion of the students, nearest first. There may
    be none on a page that has a next one.
    """

    next_page_token: str = ""
    """Asks for the next page; empty on the last."""

    students_done: int = 0
    """How many students were compared with all others, on this page and those before it."""

    students_total: int = 0
    """How many students there are to compare."""

    threshold: float = 0.0
    """The similarity that a match needs among all crops: a pair is listed from it on."""


@dataclass(frozen=True)
class DeleteStudentRequest:
    """DeleteStudentRequest names a student."""

    student_id: str = ""
    """The student."""


@dataclass(frozen=True)
class Receipt:
    """A Receipt says what was erased, and where it may still be."""

    change: int = 0
    """The number of the change that erased it."""

    time: datetime | None = None
    """When that was."""

    crops: int = 0
    """How many crops were erased."""

    embeddings: int = 0
    """How many embeddings."""

    log_lines: int = 0
    """From how many lines of the log the names were erased."""

    journal_lines: int = 0
    """From how many lines of the journal."""

    finished: datetime | None = None
    """When no file of the server held it any more; absent: the server is still at work on
    that, and goes on after a restart.
    """

    backups_until: datetime | None = None
    """Until when a backup that the server wrote by itself still holds it, if it goes on
    writing them as it does now; absent: none does, or the server writes none. Backups
    that somebody made by hand are not known.
    """


@dataclass(frozen=True)
class DeleteStudentResponse:
    """DeleteStudentResponse says what was erased with the student."""

    receipt: Receipt | None = None
    """What was erased."""


@dataclass(frozen=True)
class SetConsentRequest:
    """SetConsentRequest is what was said."""

    student_id: str = ""
    """The student."""

    consent: Consent | None = None
    """What was said."""


@dataclass(frozen=True)
class SetConsentResponse:
    """SetConsentResponse is the student as it is now."""

    student: Student | None = None
    """The student with its crops."""

    receipt: Receipt | None = None
    """What was erased, where consent was refused or withdrawn; absent: nothing."""


@dataclass(frozen=True)
class SetDeleteAfterRequest:
    """SetDeleteAfterRequest is a student's last day."""

    student_id: str = ""
    """The student."""

    delete_after: str = ""
    """The last day, UTC, on which the student is kept, as "2026-07-31"; empty: no day is
    set any more.
    """


@dataclass(frozen=True)
class SetDeleteAfterResponse:
    """SetDeleteAfterResponse is the student as it is now."""

    student: Student | None = None
    """The student with its crops."""


@dataclass(frozen=True)
class ListDueStudentsRequest:
    """ListDueStudentsRequest says who is due."""

    page_size: int = 0
    """At most this many; 0: 100."""

    page_token: str = ""
    """next_page_token of the page before; empty: the first page."""

    group: str = ""
    """Only students of this group; empty: all."""

    max_age_days: int = 0
    """A student whose newest picture is older than this many days is due; 0: 365.
    Children change within a year.
    """


@dataclass(frozen=True)
class DueStudent:
    """A DueStudent is a student who should be photographed again."""

    student_id: str = ""
    """The student."""

    groups: Sequence[str] = ()
    """The groups that the student is in, sorted."""

    reasons: Sequence[DueReason] = ()
    """Why, the most pressing first."""

    crops: int = 0
    """How many crops the student has that can be recognised by the gallery's model."""

    newest: datetime | None = None
    """When the picture of the newest of these crops first came into the gallery; absent:
    there is none.
    """

    best_score: float = 0.0
    """The best score of these crops (Quality.score); 0: there is none."""


@dataclass(frozen=True)
class ListDueStudentsResponse:
    """ListDueStudentsResponse is a page."""

    students: Sequence[DueStudent] = ()
    """The students by id."""

    next_page_token: str = ""
    """Asks for the next page; empty on the last."""


@dataclass(frozen=True)
class ListInactiveStudentsRequest:
    """ListInactiveStudentsRequest says since when."""

    since: datetime | None = None
    """Who had neither match nor check-in from this time on is inactive."""


@dataclass(frozen=True)
class InactiveStudent:
    """An InactiveStudent had no match and no check-in."""

    student_id: str = ""
    """The student."""

    groups: Sequence[str] = ()
    """The groups that the student is in, sorted."""

    created: datetime | None = None
    """When the student first came into the gallery."""

    last_seen: datetime | None = None
    """When the last match or check-in was, which may be one that was taken back; absent:
    the journal has none.
    """


@dataclass(frozen=True)
class ListInactiveStudentsResponse:
    """ListInactiveStudentsResponse is the next students."""

    students: Sequence[InactiveStudent] = ()
    """The students by id."""

    journal_from: str = ""
    """The day, UTC, with which the journal begins, such as "2026-07-31"; empty: it has no
    lines. What was before is not known.
    """


@dataclass(frozen=True)
class GetCropRequest:
    """GetCropRequest names a crop."""

    crop_id: str = ""
    """The crop."""


@dataclass(frozen=True)
class GetCropResponse:
    """GetCropResponse is the crop."""

    crop: Crop | None = None
    """The crop."""


@dataclass(frozen=True)
class AssignCropRequest:
    """AssignCropRequest is a correction."""

    crop_id: str = ""
    """The crop."""

    student_id: str = ""
    """Whose face it is; empty: nobody's, so that it is never matched. If there is no
    student with this id, a new one is made.
    """

    expected_student_id: str | None = None
    """Whose crop the caller takes it to be now; empty: nobody's. If it is another student's
    by then, the call is refused as STUDENT_CHANGED. Left out: whoever's it is.
    """


@dataclass(frozen=True)
class AssignCropResponse:
    """AssignCropResponse is the crop as it is now."""

    crop: Crop | None = None
    """The crop."""

    change: int = 0
    """The number of the change, for UndoChange."""


@dataclass(frozen=True)
class DeleteCropRequest:
    """DeleteCropRequest names a crop."""

    crop_id: str = ""
    """The crop."""


@dataclass(frozen=True)
class DeleteCropResponse:
    """DeleteCropResponse is empty: the crop is gone."""


@dataclass(frozen=True)
class ListChangesRequest:
    """ListChangesRequest asks for a page."""

    page_size: int = 0
    """At most this many; 0: 100."""

    page_token: str = ""
    """next_page_token of the page before; empty: the first page."""

    student_id: str = ""
    """Only changes about this student; empty: all."""

    crop_id: str = ""
    """Only changes of this crop; empty: all."""

    undoable: bool = False
    """Only changes of a kind that can be undone."""


@dataclass(frozen=True)
class ChangedRecord:
    """A ChangedRecord is a student or crop that a change wrote, as it was before."""

    student_id: str = ""
    """The student; empty if it is a crop."""

    crop_id: str = ""
    """The crop; empty if it is a student."""

    created: bool = False
    """There was none of this id before."""

    previous_student_id: str = ""
    """Of a crop: whose it was before; empty: nobody's."""

    previous_groups: Sequence[str] = ()
    """Of a student: the groups that it was in before."""


@dataclass(frozen=True)
class Change:
    """A Change is something that was done to the gallery in one step."""

    change: int = 0
    """Its number, from 1."""

    time: datetime | None = None
    """When it was made."""

    cause: str = ""
    """What was done: "enrol", "assign", "merge students", "change groups", "undo 17", ..."""

    undoable: bool = False
    """Whether it is of a kind that can be undone. Something newer may still stand against it."""

    records: Sequence[ChangedRecord] = ()
    """The students and crops that it wrote, at most 100 of them."""

    record_count: int = 0
    """How many students and crops it wrote."""

    token_id: str = ""
    """The id of the token that it was made with; empty: nobody had to log in, or the server
    made it by itself.
    """


@dataclass(frozen=True)
class ListChangesResponse:
    """ListChangesResponse is a page."""

    changes: Sequence[Change] = ()
    """The changes, newest first. There may be fewer than page_size, or none, on a page that
    has a next one.
    """

    next_page_token: str = ""
    """Asks for the next page; empty on the last."""


@dataclass(frozen=True)
class UndoChangeRequest:
    """UndoChangeRequest names a change."""

    change: int = 0
    """Its number."""


@dataclass(frozen=True)
class UndoChangeResponse:
    """UndoChangeResponse is what was undone."""

    change: int = 0
    """The number of the undo, which is a change itself."""

    undone: Change | None = None
    """The change that was undone."""


@dataclass(frozen=True)
class GetSettingsRequest:
    """GetSettingsRequest asks for the settings."""


@dataclass(frozen=True)
class Settings:
    """Settings are the configuration of a gallery. They are stored with it; the flags
    of the server say only what a new gallery starts with.
    """

    model: str = ""
    """The embedder for calls that name none. Empty: none was chosen yet, and the
    first crop that is stored chooses its own.
    """

    fpir: float = 0.0
    """The wanted false positive identification rate of a search that does not ask
    for another.
    """

    margin: float = 0.0
    """The similarity by which the best student must be ahead of the next one for a
    match.
    """

    keep_verdicts: int = 0
    """How many days the journal keeps verdicts, check-ins and refusals."""

    keep_changes: int = 0
    """How many days the log keeps what was changed, by whom."""

    require_consent: bool = False
    """True when nobody is enrolled whose consent was not given (SetConsent)."""


@dataclass(frozen=True)
class Coverage:
    """Coverage is how much of a gallery can be recognised under its model."""

    crops: int = 0
    """Enrolled crops."""

    without: int = 0
    """How many of these have no embedding under the model. Nobody is recognised by
    them.
    """

    otherwise: int = 0
    """How many of these have an embedding of another recipe than the expected one."""

    recipe: str = ""
    """The recipe that the gallery expects of its embeddings under the model; empty:
    there are no embeddings yet.
    """

    server_recipe: str = ""
    """The recipe by which this server uses the model; empty: it cannot use it."""

    model_problem: str = ""
    """Why the server cannot use the model; empty: it can use it."""


@dataclass(frozen=True)
class GetSettingsResponse:
    """GetSettingsResponse is the settings."""

    settings: Settings | None = None
    """The settings."""

    coverage: Coverage | None = None
    """What they come to."""


@dataclass(frozen=True)
class UpdateSettingsRequest:
    """UpdateSettingsRequest is what to change; what is left out stays."""

    model: str | None = None
    """The embedder for calls that name none; it must be installed."""

    fpir: float | None = None
    """The wanted false positive identification rate, 1e-9 to 0.5."""

    margin: float | None = None
    """The similarity by which the best student must be ahead of the next one."""

    keep_verdicts: int | None = None
    """How many days the journal keeps verdicts, check-ins and refusals."""

    keep_changes: int | None = None
    """How many days the log keeps what was changed, by whom."""

    require_consent: bool | None = None
    """Whether nobody is enrolled whose consent was not given. It changes nothing for those
    who are enrolled already.
    """


@dataclass(frozen=True)
class UpdateSettingsResponse:
    """UpdateSettingsResponse is the settings as they are now."""

    settings: Settings | None = None
    """The settings."""

    coverage: Coverage | None = None
    """What they come to."""


@dataclass(frozen=True)
class GetCalibrationRequest:
    """GetCalibrationRequest asks for a calibration."""

    model: str = ""
    """The model; empty: the gallery's."""


@dataclass(frozen=True)
class OperatingPoint:
    """OperatingPoint is one point of a calibration."""

    fmr: float = 0.0
    """The share of the comparisons of two different people that reach the similarity."""

    similarity: float = 0.0
    """The similarity, -1 to 1."""


@dataclass(frozen=True)
class Calibration:
    """Calibration is how a gallery turns an fpir into a threshold, under one model.

    Each student is a stranger to all others. From some 30 students on, the gallery
    compares them by itself, some seconds after enough crops came or went. It keeps the
    calibration if the threshold would hardly change.
    """

    model: str = ""
    """The model."""

    source: CalibrationSource = CalibrationSource.UNSPECIFIED
    """Where it comes from."""

    points: Sequence[OperatingPoint] = ()
    """The points that are in use, by falling fmr; empty with
    CALIBRATION_SOURCE_PUBLISHED.
    """

    frozen: bool = False
    """True when only UpdateCalibration changes it."""

    threshold: float = 0.0
    """The similarity that a match needs in a search of everybody, at the gallery's fpir."""

    students: int = 0
    """How many students it was made from."""

    comparisons: int = 0
    """How many comparisons of crops with other students."""

    left_out: int = 0
    """How many of these were left out, because the two are more alike than two people
    are. Each two alike students are counted several times.
    """

    made: datetime | None = None
    """When it was made or given; absent: never."""


@dataclass(frozen=True)
class GetCalibrationResponse:
    """GetCalibrationResponse is the calibration."""

    calibration: Calibration | None = None
    """The calibration."""


@dataclass(frozen=True)
class UpdateCalibrationRequest:
    """UpdateCalibrationRequest is what to change."""

    model: str = ""
    """The model; empty: the gallery's."""

    frozen: bool | None = None
    """True: the calibration stays as it is. False: a calibration that was given is
    dropped, and the gallery calibrates itself.
    """

    points: Sequence[OperatingPoint] = ()
    """The calibration from now on, two points at least, by falling fmr and similarities
    that do not fall. It is frozen.
    """


@dataclass(frozen=True)
class UpdateCalibrationResponse:
    """UpdateCalibrationResponse is the calibration as it is now."""

    calibration: Calibration | None = None
    """The calibration."""


@dataclass(frozen=True)
class CheckConsistencyRequest:
    """CheckConsistencyRequest asks for the comparison."""


@dataclass(frozen=True)
class Difference:
    """A Difference is one difference between disk and index."""

    kind: str = ""
    """What is wrong: "missing in index"."""

    model: str = ""
    """The model whose index it is."""

    crop_id: str = ""
    """The crop; empty if it is about no crop."""

    student_id: str = ""
    """The student; empty if it is about no student."""


@dataclass(frozen=True)
class CheckConsistencyResponse:
    """CheckConsistencyResponse is what was compared."""

    consistent: bool = False
    """True when there is no difference."""

    stored: int = 0
    """How many enrolled embeddings are on disk."""

    indexed: int = 0
    """How many are in the indexes."""

    differences: Sequence[Difference] = ()
    """The differences, at most 1,000 of them."""

    total: int = 0
    """How many differences there are; there may be more."""

    coverage: Coverage | None = None
    """How much of the gallery can be recognised under its model."""

    left_over: Sequence[str] = ()
    """Galleries that lie on disk and are not in the list of galleries, which happens only
    if acknowledged changes were lost. CreateGallery takes such a gallery into the list,
    and DeleteGallery erases it. Only callers who may use all galleries are told.
    """


@dataclass(frozen=True)
class ListGalleriesRequest:
    """ListGalleriesRequest asks for the galleries."""


@dataclass(frozen=True)
class Gallery:
    """Gallery is one school's enrolled crops."""

    gallery_id: str = ""
    """Its id."""


@dataclass(frozen=True)
class ListGalleriesResponse:
    """ListGalleriesResponse is the galleries that the caller may use."""

    galleries: Sequence[Gallery] = ()
    """The galleries, by id."""


@dataclass(frozen=True)
class CreateGalleryRequest:
    """CreateGalleryRequest names a new gallery."""

    gallery_id: str = ""
    """The id of the new gallery."""


@dataclass(frozen=True)
class CreateGalleryResponse:
    """CreateGalleryResponse is the new gallery."""

    gallery: Gallery | None = None
    """The gallery."""


@dataclass(frozen=True)
class DeleteGalleryRequest:
    """DeleteGalleryRequest names a gallery."""

    gallery_id: str = ""
    """The gallery."""


@dataclass(frozen=True)
class DeleteGalleryResponse:
    """DeleteGalleryResponse is empty: the gallery is gone."""


@dataclass(frozen=True)
class RecordCheckInRequest:
    """RecordCheckInRequest is a check-in."""

    student_id: str = ""
    """The student. It need not be enrolled: nobody has to give a face."""

    method: Method = Method.UNSPECIFIED
    """How the student was checked in."""

    cancels: int = 0
    """With METHOD_CANCELLED: the number of the line that is taken back."""

    by: str = ""
    """Who does it: the person at the desk. The name of the token is written too."""

    request_id: str = ""
    """A key that the client draws at random for each check-in, such as a UUID, and
    repeats when it makes the call again. Empty: each call is recorded. It does not count
    with METHOD_CANCELLED, which needs none: a line is taken back once.
    """


@dataclass(frozen=True)
class RecordCheckInResponse:
    """RecordCheckInResponse says which line it became."""

    number: int = 0
    """The number of the line."""


@dataclass(frozen=True)
class ListLinesRequest:
    """ListLinesRequest asks for a page."""

    after: int = 0
    """Only lines after the one with this number; 0: from the first."""

    page_size: int = 0
    """At most this many; 0: 100."""

    kinds: Sequence[LineKind] = ()
    """Only lines of these kinds; empty: all."""

    student_id: str = ""
    """Only lines about this student; empty: all."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """Only lines with this verdict; unspecified: all."""

    from_: datetime | None = None
    """Only lines from this time on; left out: all."""

    until: datetime | None = None
    """Only lines before this time; left out: all."""

    server: bool = False
    """The journal of the server itself, with the calls that were refused before they
    reached a gallery. Only for callers who may use all galleries.
    """


@dataclass(frozen=True)
class Line:
    """A Line is one line of the journal. Which fields it has depends on its kind."""

    number: int = 0
    """The number of the line in its gallery."""

    time: datetime | None = None
    """When it was written."""

    kind: LineKind = LineKind.UNSPECIFIED
    """What it is about."""

    student_id: str = ""
    """The student: of a verdict, only with VERDICT_MATCH. Empty: there is none, or the
    student was erased.
    """

    erased: bool = False
    """True when the student was erased from the line."""

    token: str = ""
    """The name of the token of the call; empty: it has none, nobody has to log in, or the
    call was refused before anybody knew whose it is.
    """

    address: str = ""
    """The address that the call came from."""

    by: str = ""
    """Who checked the student in, as RecordCheckIn was told."""

    procedure: str = ""
    """The call, such as "/rollcall.v1.AttendanceService/Identify"."""

    verdict: Verdict = Verdict.UNSPECIFIED
    """The verdict."""

    reasons: Sequence[Reason] = ()
    """Why it is not a match."""

    similarity: float = 0.0
    """Similarity of the best student, -1 to 1; of a seat, that of the assigned one."""

    threshold: float = 0.0
    """The similarity that a match needed."""

    fpir: float = 0.0
    """The false positive identification rate that the threshold was made for."""

    recipe: str = ""
    """How the probe was embedded: the model, the locator and the version of decoding
    and alignment.
    """

    students_in_scope: int = 0
    """How many enrolled students the probe was compared with."""

    method: Method = Method.UNSPECIFIED
    """How the student was checked in."""

    cancels: int = 0
    """The number of the line that is taken back."""

    code: str = ""
    """The code of a refusal, as Connect names it: "permission_denied"."""

    reason: str = ""
    """The stable reason of a refusal, as ErrorInfo.reason."""

    omitted: int = 0
    """How many lines are missing before this one: lines that were lost, or refusals
    that were too many.
    """

    token_id: str = ""
    """The id of the token of the call, as ListTokens tells it; empty: as for token. Two
    tokens may have the same name, but never the same id.
    """


@dataclass(frozen=True)
class ListLinesResponse:
    """ListLinesResponse is a page."""

    lines: Sequence[Line] = ()
    """The lines, by number. There may be fewer than asked for, or none, and still more
    to come.
    """

    next_after: int = 0
    """Ask for the lines after this number next."""

    end: bool = False
    """True when there was nothing more on disk."""


@dataclass(frozen=True)
class WatchVerdictsRequest:
    """WatchVerdictsRequest says where to begin."""

    after: int = 0
    """Send what comes after the line with this number; 0: from the first line."""


@dataclass(frozen=True)
class WatchVerdictsResponse:
    """WatchVerdictsResponse is some lines, or none."""

    lines: Sequence[Line] = ()
    """The next verdicts and check-ins, by number."""

    newest: int = 0
    """Call again with this number as after, to go on behind this response."""


@dataclass(frozen=True)
class ListDaysRequest:
    """ListDaysRequest asks for the heads."""

    from_: str = ""
    """Only days from this date on, such as "2026-11-26"; empty: all."""

    server: bool = False
    """As in ListLinesRequest."""


@dataclass(frozen=True)
class Day:
    """A Day is one day of a journal, in UTC."""

    date: str = ""
    """The date, such as "2026-11-26"."""

    first: int = 0
    """The number of its first line."""

    last: int = 0
    """The number of its last line."""

    head: str = ""
    """The head, in hex: the hash that all lines of the day lead to."""

    open: bool = False
    """True for the newest day: more lines may follow, and change the head."""


@dataclass(frozen=True)
class ListDaysResponse:
    """ListDaysResponse is the heads."""

    days: Sequence[Day] = ()
    """The days that have lines, in order. The newest one may still change."""

    server: str = ""
    """The number of the server, in hex: the chain of every day begins with it."""

    gallery: str = ""
    """The gallery; empty: the server itself."""


@dataclass(frozen=True)
class ExportGalleryRequest:
    """ExportGalleryRequest asks for the records of a gallery."""

    vectors: bool = False
    """True: with the vectors. A face can be rebuilt from one."""


@dataclass(frozen=True)
class ExportedModel:
    """ExportedModel is the model that made the embeddings of its name. An import compares
    it with the server's.
    """

    name: str = ""
    """Its name."""

    digest: str = ""
    """The SHA-256 of its file, in hexadecimal."""

    dimension: int = 0
    """How many elements its vectors have."""


@dataclass(frozen=True)
class ExportedStudent:
    """ExportedStudent is a student. An import adds the groups to those that the student
    has. A consent and a day that are noted in the gallery stay.
    """

    student_id: str = ""
    """The id."""

    groups: Sequence[str] = ()
    """The groups."""

    consent: Consent | None = None
    """What was said about enrolling the face; absent: nothing was noted."""

    delete_after: str = ""
    """The last day on which the student is kept, as "2026-07-31"; empty: none."""

    created: datetime | None = None
    """When the student was first stored. Who was erased later is not imported; absent: long
    ago.
    """


@dataclass(frozen=True)
class ExportedEmbedding:
    """ExportedEmbedding is the vector of a crop under one model."""

    model: str = ""
    """The model's name."""

    digest: str = ""
    """The SHA-256 of the model's file, in hexadecimal: an import refuses the vectors of
    another file than the server's.
    """

    recipe: str = ""
    """What made the vector besides the model: embedder, locator, alignment."""

    vector: Sequence[float] = field(default=(), repr=False)
    """The vector, of unit length; empty in an export without vectors."""

    quality: Quality | None = None
    """What was measured of the crop; absent: nothing."""


@dataclass(frozen=True)
class ExportedCrop:
    """ExportedCrop is a crop with its embeddings."""

    crop_id: str = ""
    """The id."""

    student_id: str = ""
    """The student that it is enrolled under; empty: none."""

    groups: Sequence[str] = ()
    """Of an import: groups to add to the student's, where the student has no record of its
    own.
    """

    corrected: bool = False
    """True when a person assigned the crop by hand."""

    pictured: datetime | None = None
    """When its picture was first stored. A crop that was erased later is not imported;
    absent: long ago.
    """

    embeddings: Sequence[ExportedEmbedding] = ()
    """The embeddings, one for each model."""


@dataclass(frozen=True)
class Record:
    """Record is one of these."""

    settings: Settings | None = None
    """The settings of the gallery."""

    model: ExportedModel | None = None
    """A model that made embeddings."""

    student: ExportedStudent | None = None
    """A student."""

    crop: ExportedCrop | None = None
    """A crop."""


@dataclass(frozen=True)
class ExportGalleryResponse:
    """ExportGalleryResponse is the next records."""

    records: Sequence[Record] = ()
    """The records."""


@dataclass(frozen=True)
class ExportStudentRequest:
    """ExportStudentRequest names a student."""

    student_id: str = ""
    """The student."""

    vectors: bool = False
    """True: with the vectors. A face can be rebuilt from one."""


@dataclass(frozen=True)
class ExportedVector:
    """ExportedVector is the vector of a crop under one model."""

    crop_id: str = ""
    """The crop."""

    model: str = ""
    """The model."""

    vector: Sequence[float] = field(default=(), repr=False)
    """The vector, of unit length."""


@dataclass(frozen=True)
class ExportStudentResponse:
    """ExportStudentResponse is a part of what is kept of a person."""

    student_ids: Sequence[str] = ()
    """The ids that the person has or had, in the first response: the one that was asked for
    first, then those that were merged into it.
    """

    student: Student | None = None
    """The record with the crops, in the first response; absent: only the log or the
    journal names the person.
    """

    vectors: Sequence[ExportedVector] = ()
    """The vectors of the crops."""

    changes: Sequence[Change] = ()
    """The next lines of the log, oldest first."""

    lines: Sequence[Line] = ()
    """The next lines of the journal, oldest first."""


@dataclass(frozen=True)
class ImportRecordsRequest:
    """ImportRecordsRequest is records for a gallery."""

    records: Sequence[Record] = ()
    """The records. All crops of one student should be in their order."""

    settings: bool = False
    """True: take the settings too, but for the model."""

    allow_duplicate: bool = False
    """True: enrol faces that another student's crop resembles."""

    allow_unlike: bool = False
    """True: enrol faces that are unlike the student's other crops."""

    dry_run: bool = False
    """True: store nothing, and say what would happen. What the records would do to each
    other is not seen.
    """


@dataclass(frozen=True)
class Problem:
    """A Problem is an error inside a stream that goes on."""

    code: str = ""
    """The code, as Connect names it: "invalid_argument"."""

    reason: str = ""
    """The stable reason, as ErrorInfo.reason: "NOT_AN_IMAGE"."""

    message: str = ""
    """What happened and what to do, for a person."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    """The figures behind it, as ErrorInfo.metadata: "measured" and "limit" of an unusable
    crop, "student_id" of a duplicate, and so on.
    """


@dataclass(frozen=True)
class ImportProblem:
    """ImportProblem is why one record was not taken in."""

    index: int = 0
    """Its place in the request, from 0."""

    problem: Problem | None = None
    """Why."""


@dataclass(frozen=True)
class ImportRecordsResponse:
    """ImportRecordsResponse is what happened."""

    stored: int = 0
    """How many records were stored, or in a dry run could be."""

    skipped: int = 0
    """How many were there already, or are not stored by themselves."""

    problems: Sequence[ImportProblem] = ()
    """The records that were not taken in."""


@dataclass(frozen=True)
class ListModelsRequest:
    """ListModelsRequest asks for all models."""

    installed_only: bool = False
    """Only what is installed."""


@dataclass(frozen=True)
class Model:
    """A Model is an ONNX file with its contract."""

    name: str = ""
    """The model's name."""

    kind: ModelKind = ModelKind.UNSPECIFIED
    """What it does."""

    title: str = ""
    """One line about it."""

    installed: bool = False
    """True when its file is on this server."""

    default: bool = False
    """True when the gallery uses it for requests that name no model."""

    loaded: bool = False
    """True when it is in memory, ready to run."""

    digest: str = ""
    """SHA-256 of its file, in hex; empty when it is not yet known."""

    dimension: int = 0
    """Number of components of its embedding; 0 for the other kinds."""

    input_width: int = 0
    """Width of its input in pixels."""

    input_height: int = 0
    """Height of its input in pixels."""

    threshold: float = 0.0
    """The similarity that its makers published for a match."""

    calibration_points: int = 0
    """How many points its calibration has; 0: the published threshold is used."""

    licence: str = ""
    """The licence of its weights."""

    embeddings: int = 0
    """How many enrolled embeddings of it the gallery holds."""

    training_data: str = ""
    """What is known of the pictures that its weights were trained on, and who says
    so; "not stated" if nothing is known.
    """


@dataclass(frozen=True)
class ListModelsResponse:
    """ListModelsResponse is the models."""

    models: Sequence[Model] = ()
    """Sorted by kind and name."""


@dataclass(frozen=True)
class GetModelRequest:
    """GetModelRequest names a model."""

    model: str = ""
    """The model; empty: the gallery's."""


@dataclass(frozen=True)
class GetModelResponse:
    """GetModelResponse is the model."""

    model: Model | None = None
    """The model."""


@dataclass(frozen=True)
class CreateTokenRequest:
    """CreateTokenRequest is who gets a token, and for what."""

    name: str = ""
    """What people call it: "door, main building"."""

    role: Role = Role.UNSPECIFIED
    """What it may do."""

    galleries: Sequence[str] = ()
    """The galleries that it may use; empty: all that the caller may use."""

    groups: Sequence[str] = ()
    """For a checkin: the groups that it may ask about; empty: all. It asks about all of
    them if a call has no scope.
    """

    embeddings: bool = False
    """For enroll and admin: it may get embeddings. A face can be rebuilt from one. Only a
    token that has them makes one (EMBEDDING_NOT_ALLOWED), but for the first.
    """

    expires: datetime | None = None
    """When it ends; absent: never."""


@dataclass(frozen=True)
class Token:
    """A Token is what is known of a token, a session or a paired tablet."""

    token_id: str = ""
    """Its id, which is no secret."""

    name: str = ""
    """What people call it."""

    role: Role = Role.UNSPECIFIED
    """What it may do."""

    galleries: Sequence[str] = ()
    """The galleries that it may use; empty: all."""

    groups: Sequence[str] = ()
    """The groups that it may ask about; empty: all."""

    embeddings: bool = False
    """True when it may get embeddings."""

    parent_id: str = ""
    """The id of the token that a session was bought with, or that paired a tablet;
    empty: it is neither.
    """

    created: datetime | None = None
    """When it was made."""

    expires: datetime | None = None
    """When it ends; absent: never."""

    revoked: datetime | None = None
    """When it was revoked; absent: it was not."""

    last_used: datetime | None = None
    """When it was last used; absent: never. After a crash of the server this may be a
    day too early.
    """


@dataclass(frozen=True)
class CreateTokenResponse:
    """CreateTokenResponse is the token."""

    secret: str = field(default="", repr=False)
    """What the caller sends from now on. The server keeps only a hash of it, so it cannot
    be shown again.
    """

    token: Token | None = None
    """What is known of it."""


@dataclass(frozen=True)
class ListTokensRequest:
    """ListTokensRequest asks for all tokens."""


@dataclass(frozen=True)
class ListTokensResponse:
    """ListTokensResponse is all tokens."""

    tokens: Sequence[Token] = ()
    """By their time of making."""


@dataclass(frozen=True)
class RevokeTokenRequest:
    """RevokeTokenRequest names a token."""

    token_id: str = ""
    """The id of a token, a session or a paired tablet."""


@dataclass(frozen=True)
class RevokeTokenResponse:
    """RevokeTokenResponse is empty: the token is revoked."""


@dataclass(frozen=True)
class CreatePairingCodeRequest:
    """CreatePairingCodeRequest is what the tablet may do."""

    name: str = ""
    """What people call the tablet."""

    role: Role = Role.UNSPECIFIED
    """What it may do: a checkin, a register or an enroll. Others need a token."""

    galleries: Sequence[str] = ()
    """As in CreateTokenRequest."""

    groups: Sequence[str] = ()
    """As in CreateTokenRequest."""


@dataclass(frozen=True)
class CreatePairingCodeResponse:
    """CreatePairingCodeResponse is the code."""

    code: str = field(default="", repr=False)
    """Eight letters and digits, none of which looks like another. It may be typed in
    small letters, with spaces and hyphens.
    """

    expires: datetime | None = None
    """Until when it can be used, once."""
