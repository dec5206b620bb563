# Generated from proto/rollcall/v1 by "buf generate". Do not edit.
"""The calls of the contract: a method for each, with the fields of its request as arguments."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from . import messages
from .wire import Image

T = TypeVar("T")


class Calls(abc.ABC):
    """Every call of the contract. timeout is in seconds; without it, that of the client."""

    @abc.abstractmethod
    def _call(self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool) -> T:
        """Makes a call that has one answer."""

    @abc.abstractmethod
    def _stream(self, procedure: str, request: Any, answer: type[T], timeout: float | None) -> Iterator[T]:
        """Makes a call that is answered by a stream."""

    def embed(
        self,
        image: Image,
        *,
        crop_id: str = "",
        student_id: str = "",
        groups: Sequence[str] = (),
        model: str = "",
        landmarks: Sequence[messages.Point] = (),
        allow_duplicate: bool = False,
        allow_unlike: bool = False,
        return_embedding: bool = False,
        face: messages.Face = messages.Face.UNSPECIFIED,
        timeout: float | None = None,
    ) -> messages.EmbedResponse:
        """Embed measures a crop. With a crop_id it also stores it. With a student_id
        too it enrols it, so that Identify can match it. It is idempotent: the same
        call again replaces what it stored. It answers only when all is on disk.

        invalid_argument: not an image, too large, no face on it, a bad id.
        already_exists: the face is enrolled under another student.
        invalid_argument, UNLIKE_STUDENT: the face is less like the student's other
        crops than like another student, or like none of them at all.
        failed_precondition: the model is not installed, or the gallery was built
        with another file of it. resource_exhausted: too many callers wait; retry
        after the given delay.

        Args:
            image: A crop, or with face a photo.
            crop_id: The id to store it under; empty: the crop is only measured.
            student_id: Whose face it is. Empty: a new crop is stored but never matched, and an
                enrolled crop stays with its student.
            groups: Groups to add the student to.
            model: The model; empty: the gallery's.
            landmarks: The five landmarks, if the client knows them, in this order: left eye, right
                eye, nose, left and right corner of the mouth. Left and right are as seen in
                the image. Empty: the locator finds them.
            allow_duplicate: Enrol the crop even if it looks like a crop of another student (twins).
            allow_unlike: Enrol the crop even if it is unlike the student's other crops: a grown child, or
                crops of which a wrong one came first.
            return_embedding: Return the embedding too. Only a token that was made for it may ask: an
                embedding is biometric data, from which a face can be rebuilt.
            face: Which face of a photo is meant. Not with landmarks. Unspecified: the image is a
                crop.
        """
        request = messages.EmbedRequest(image=image, crop_id=crop_id, student_id=student_id, groups=groups, model=model, landmarks=landmarks, allow_duplicate=allow_duplicate, allow_unlike=allow_unlike, return_embedding=return_embedding, face=face)
        return self._call("rollcall.v1.AttendanceService/Embed", request, messages.EmbedResponse, timeout, True)

    def identify(
        self,
        image: Image = b"",
        *,
        crop_id: str = "",
        scope: messages.Scope | None = None,
        model: str = "",
        landmarks: Sequence[messages.Point] = (),
        fpir: float = 0.0,
        max_candidates: int = 0,
        face: messages.Face = messages.Face.UNSPECIFIED,
        await_line: bool = False,
        timeout: float | None = None,
    ) -> messages.IdentifyResponse:
        """Identify says whose face is on a crop, among the students in scope. It
        changes nothing, but is not offered over GET: an image of a face must not be
        part of an address, because proxies log addresses.

        Args:
            image: A crop, or with face a photo.
            crop_id: Or the id of a stored crop. It is not compared with itself. Not for a checkin.
            scope: The students that the probe may show; empty: everybody, or the groups of the
                caller's token.
            model: The model; empty: the gallery's.
            landmarks: As in EmbedRequest.
            fpir: The wanted false positive identification rate: the share of strangers' probes
                that may get a MATCH. 0: the gallery's rate, which is one in 1,000 unless its
                settings say otherwise. It has an effect only if the model is calibrated.
            max_candidates: How many candidates to return; 0: five. A checkin gets at most three, without
                the ids of crops.
            face: As in EmbedRequest.
            await_line: Answer only when the verdict's line in the journal is on disk, and tell its number,
                so that RecordCheckIn can take it back.
        """
        request = messages.IdentifyRequest(image=image, crop_id=crop_id, scope=scope, model=model, landmarks=landmarks, fpir=fpir, max_candidates=max_candidates, face=face, await_line=await_line)
        return self._call("rollcall.v1.AttendanceService/Identify", request, messages.IdentifyResponse, timeout, True)

    def verify(
        self,
        student_id: str,
        image: Image,
        *,
        landmarks: Sequence[messages.Point] = (),
        face: messages.Face = messages.Face.UNSPECIFIED,
        model: str = "",
        fmr: float = 0.0,
        timeout: float | None = None,
    ) -> messages.VerifyResponse:
        """Verify says whether a face is that of one student, whose name is known: from a
        card, say. It compares the face with the crops of this student alone.

        not_found: the gallery has no such student, or no crop of the student under the
        model.

        Args:
            student_id: The student whom the face is said to be.
            image: A crop, or with face a photo.
            landmarks: As in EmbedRequest.
            face: As in EmbedRequest.
            model: The model; empty: the gallery's.
            fmr: The wanted false match rate: the share of other people who pass for the student.
                0: one in 1,000. It has an effect only if the model is calibrated.
        """
        request = messages.VerifyRequest(student_id=student_id, image=image, landmarks=landmarks, face=face, model=model, fmr=fmr)
        return self._call("rollcall.v1.AttendanceService/Verify", request, messages.VerifyResponse, timeout, True)

    def identify_burst(
        self,
        frames: Sequence[messages.BurstFrame | Image],
        *,
        scope: messages.Scope | None = None,
        model: str = "",
        fpir: float = 0.0,
        max_candidates: int = 0,
        await_line: bool = False,
        timeout: float | None = None,
    ) -> messages.IdentifyBurstResponse:
        """IdentifyBurst says whose face is on some frames of one person, such as a camera
        at the door takes within a second. Their evidence is combined into one verdict. A
        frame that cannot be judged, or shows another person than most of them, does not
        count; the answer says which ones do and why others do not.

        Args:
            frames: The frames, in the order in which they were taken. All images together may have
                about 45 MiB.
            scope: The students that the frames may show; empty: everybody, or the groups of the
                caller's token.
            model: The model; empty: the gallery's.
            fpir: As in IdentifyRequest. It is the rate of bursts, not of frames.
            max_candidates: As in IdentifyRequest.
            await_line: As in IdentifyRequest.
        """
        request = messages.IdentifyBurstRequest(frames=[one if isinstance(one, messages.BurstFrame) else messages.BurstFrame(image=one) for one in frames], scope=scope, model=model, fpir=fpir, max_candidates=max_candidates, await_line=await_line)
        return self._call("rollcall.v1.AttendanceService/IdentifyBurst", request, messages.IdentifyBurstResponse, timeout, True)

    def roll_call(
        self,
        *,
        probes: Sequence[messages.RollCallProbe | Image] = (),
        scope: messages.Scope | None = None,
        model: str = "",
        fpir: float = 0.0,
        photo: Image = b"",
        least_size: float = 0.0,
        timeout: float | None = None,
    ) -> messages.RollCallResponse:
        """RollCall takes a photo of a class, or the crops of one. It assigns each student
        in scope to at most one face, and each face to at most one student, so that
        the sum of the similarities above the threshold is the greatest. It also says
        who is absent.

        Args:
            probes: The crops, at most one of each person.
            scope: Who should be there; empty: everybody, or the groups of the caller's token.
            model: The model; empty: the gallery's.
            fpir: As in IdentifyRequest, for each face.
            photo: Or the photo, with at most 200 faces.
            least_size: The size of the smallest face of the photo that has to be found, as in
                DetectRequest.
        """
        request = messages.RollCallRequest(probes=[one if isinstance(one, messages.RollCallProbe) else messages.RollCallProbe(image=one) for one in probes], scope=scope, model=model, fpir=fpir, photo=photo, least_size=least_size)
        return self._call("rollcall.v1.AttendanceService/RollCall", request, messages.RollCallResponse, timeout, True)

    def detect(
        self,
        image: Image,
        *,
        least_size: float = 0.0,
        timeout: float | None = None,
    ) -> messages.DetectResponse:
        """Detect finds the faces of a photo or of a camera's frame, of at most 16 MiB.
        It changes nothing and stores nothing. A photo without faces is no error.
        An image whose longer side is more than 20 times the shorter one is not
        searched: the answer has no faces. Photos have their own queue, so that they
        do not delay check-ins. resource_exhausted: this queue is full; retry after
        the given delay.

        Args:
            image: The image, with any number of faces.
            least_size: The size of the smallest face that has to be found, in pixels, measured like
                FoundFace.size. The work grows with its inverse square. 0 means 48 in a frame of up
                to 640 x 480 pixels, 24 in a photo of up to 6 megapixels, 34 in one of 12
                megapixels and 48 in one of 24. Most faces down to five sixths of this size are
                found too. The work is bounded: in a photo of 24 megapixels, faces smaller than
                24 are not looked for.
        """
        request = messages.DetectRequest(image=image, least_size=least_size)
        return self._call("rollcall.v1.AttendanceService/Detect", request, messages.DetectResponse, timeout, True)

    def backup(
        self,
        *,
        timeout: float | None = None,
    ) -> Iterator[messages.BackupResponse]:
        """Backup streams a backup, which "rollcall restore" reads. It holds everything that
        was acknowledged before the call; others go on meanwhile. The stream that ends
        without an error is whole. Works over HTTP/1.1 too.

        resource_exhausted: another backup is being made (BACKUP_RUNNING). unavailable: the
        disk is nearly full, or the server stops. A client that takes longer than a minute
        for one response is cut off.
        """
        request = messages.BackupRequest()
        return self._stream("rollcall.v1.BackupService/Backup", request, messages.BackupResponse, timeout)

    def get_student(
        self,
        student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.GetStudentResponse:
        """GetStudent returns a student with its crops.

        Args:
            student_id: The student.
        """
        request = messages.GetStudentRequest(student_id=student_id)
        return self._call("rollcall.v1.GalleryService/GetStudent", request, messages.GetStudentResponse, timeout, True)

    def list_students(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        group: str = "",
        timeout: float | None = None,
    ) -> messages.ListStudentsResponse:
        """ListStudents returns the students page by page, by id.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            group: Only students of this group; empty: all.
        """
        request = messages.ListStudentsRequest(page_size=page_size, page_token=page_token, group=group)
        return self._call("rollcall.v1.GalleryService/ListStudents", request, messages.ListStudentsResponse, timeout, True)

    def all_students(
        self,
        *,
        page_size: int = 0,
        group: str = "",
        timeout: float | None = None,
    ) -> Iterator[messages.Student]:
        """Yields what list_students lists, page after page."""
        token = ""
        while True:
            page = self.list_students(page_size=page_size, group=group, page_token=token, timeout=timeout)
            for one in page.students:
                yield one
            token = page.next_page_token
            if not token:
                return

    def update_student(
        self,
        student_id: str,
        groups: Sequence[str],
        *,
        create: bool = False,
        timeout: float | None = None,
    ) -> messages.UpdateStudentResponse:
        """UpdateStudent replaces the groups of a student.

        Args:
            student_id: The student.
            groups: All groups that the student is in from now on; empty: none.
            create: Makes the student if there is none, without crops.
        """
        request = messages.UpdateStudentRequest(student_id=student_id, groups=groups, create=create)
        return self._call("rollcall.v1.GalleryService/UpdateStudent", request, messages.UpdateStudentResponse, timeout, True)

    def merge_students(
        self,
        from_student_id: str,
        into_student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.MergeStudentsResponse:
        """MergeStudents gives all crops and groups of one student to another, in one change,
        and takes the first student off the list: one person was enrolled under two ids.
        The crops count as corrected. UndoChange takes it back.

        Args:
            from_student_id: The student whose crops and groups go to the other one, and who is then gone.
            into_student_id: The student who stays.
        """
        request = messages.MergeStudentsRequest(from_student_id=from_student_id, into_student_id=into_student_id)
        return self._call("rollcall.v1.GalleryService/MergeStudents", request, messages.MergeStudentsResponse, timeout, False)

    def list_lookalikes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> messages.ListLookalikesResponse:
        """ListLookalikes returns pairs of students of whom one could be taken for the other:
        somebody enrolled twice, a crop of the wrong child, twins, siblings. Each student is
        compared with all others, exactly, some students at a time. Ask for page after page
        until there is no next one. Each page has its nearest pairs first, and no pair is on
        two pages.

        Args:
            page_size: At most this many pairs; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
        """
        request = messages.ListLookalikesRequest(page_size=page_size, page_token=page_token)
        return self._call("rollcall.v1.GalleryService/ListLookalikes", request, messages.ListLookalikesResponse, timeout, True)

    def all_lookalikes(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[messages.Lookalike]:
        """Yields what list_lookalikes lists, page after page."""
        token = ""
        while True:
            page = self.list_lookalikes(page_size=page_size, page_token=token, timeout=timeout)
            for one in page.lookalikes:
                yield one
            token = page.next_page_token
            if not token:
                return

    def delete_student(
        self,
        student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteStudentResponse:
        """DeleteStudent erases a student with all its crops and embeddings, from the lines of the
        log and the journal, and from the files of the server, and notes that in the list of
        erasures. Who was merged into the student is the same person, and is erased with it. A
        student who has no record, but whom the log or the journal names, is erased from
        these. Nothing brings it back.

        The student is gone when the call is answered. Rewriting the files takes about as long
        as reading the gallery; the call waits up to 20 seconds for that.

        Args:
            student_id: The student.
        """
        request = messages.DeleteStudentRequest(student_id=student_id)
        return self._call("rollcall.v1.GalleryService/DeleteStudent", request, messages.DeleteStudentResponse, timeout, False)

    def set_consent(
        self,
        student_id: str,
        consent: messages.Consent | None,
        *,
        timeout: float | None = None,
    ) -> messages.SetConsentResponse:
        """SetConsent notes what was said about enrolling a student's face. A student that does not
        exist is created, so that it can be noted before the first picture. Where consent was
        refused or withdrawn, nothing of the student can be enrolled (NO_CONSENT), whatever
        the settings say, and what is enrolled is erased: all crops and embeddings, the
        student's groups, and its name in the journal and the log. The record with the id and
        the consent stays. The list of erasures notes a refusal too: so it holds after the
        student was deleted, or an older backup restored, until a consent is given.

        Args:
            student_id: The student.
            consent: What was said.
        """
        request = messages.SetConsentRequest(student_id=student_id, consent=consent)
        return self._call("rollcall.v1.GalleryService/SetConsent", request, messages.SetConsentResponse, timeout, True)

    def set_delete_after(
        self,
        student_id: str,
        delete_after: str,
        *,
        timeout: float | None = None,
    ) -> messages.SetDeleteAfterResponse:
        """SetDeleteAfter says until when a student is kept. The server looks once a day, and
        erases those whose day is over.

        Args:
            student_id: The student.
            delete_after: The last day, UTC, on which the student is kept, as "2026-07-31"; empty: no day is
                set any more.
        """
        request = messages.SetDeleteAfterRequest(student_id=student_id, delete_after=delete_after)
        return self._call("rollcall.v1.GalleryService/SetDeleteAfter", request, messages.SetDeleteAfterResponse, timeout, True)

    def list_due_students(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        group: str = "",
        max_age_days: int = 0,
        timeout: float | None = None,
    ) -> messages.ListDueStudentsResponse:
        """ListDueStudents returns the students who should be photographed again, page by
        page, by id, and says why. It changes nothing: a person takes the picture and
        enrols it.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            group: Only students of this group; empty: all.
            max_age_days: A student whose newest picture is older than this many days is due; 0: 365.
                Children change within a year.
        """
        request = messages.ListDueStudentsRequest(page_size=page_size, page_token=page_token, group=group, max_age_days=max_age_days)
        return self._call("rollcall.v1.GalleryService/ListDueStudents", request, messages.ListDueStudentsResponse, timeout, True)

    def all_due_students(
        self,
        *,
        page_size: int = 0,
        group: str = "",
        max_age_days: int = 0,
        timeout: float | None = None,
    ) -> Iterator[messages.DueStudent]:
        """Yields what list_due_students lists, page after page."""
        token = ""
        while True:
            page = self.list_due_students(page_size=page_size, group=group, max_age_days=max_age_days, page_token=token, timeout=timeout)
            for one in page.students:
                yield one
            token = page.next_page_token
            if not token:
                return

    def list_inactive_students(
        self,
        since: datetime | None,
        *,
        timeout: float | None = None,
    ) -> Iterator[messages.ListInactiveStudentsResponse]:
        """ListInactiveStudents streams the students who had no match and no check-in since a
        time, by their ids. Students who came into the gallery later are left out. It reads the
        journal once, from its beginning.

        Args:
            since: Who had neither match nor check-in from this time on is inactive.
        """
        request = messages.ListInactiveStudentsRequest(since=since)
        return self._stream("rollcall.v1.GalleryService/ListInactiveStudents", request, messages.ListInactiveStudentsResponse, timeout)

    def get_crop(
        self,
        crop_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.GetCropResponse:
        """GetCrop returns what the gallery keeps of a crop.

        Args:
            crop_id: The crop.
        """
        request = messages.GetCropRequest(crop_id=crop_id)
        return self._call("rollcall.v1.GalleryService/GetCrop", request, messages.GetCropResponse, timeout, True)

    def assign_crop(
        self,
        crop_id: str,
        student_id: str,
        *,
        expected_student_id: str | None = None,
        timeout: float | None = None,
    ) -> messages.AssignCropResponse:
        """AssignCrop corrects whose face a crop shows. The correction stays: a later
        Embed of the same crop with another student does not change it.

        Args:
            crop_id: The crop.
            student_id: Whose face it is; empty: nobody's, so that it is never matched. If there is no
                student with this id, a new one is made.
            expected_student_id: Whose crop the caller takes it to be now; empty: nobody's. If it is another student's
                by then, the call is refused as STUDENT_CHANGED. Left out: whoever's it is.
        """
        request = messages.AssignCropRequest(crop_id=crop_id, student_id=student_id, expected_student_id=expected_student_id)
        return self._call("rollcall.v1.GalleryService/AssignCrop", request, messages.AssignCropResponse, timeout, True)

    def delete_crop(
        self,
        crop_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteCropResponse:
        """DeleteCrop erases a crop and its embeddings, as DeleteStudent erases a student.

        Args:
            crop_id: The crop.
        """
        request = messages.DeleteCropRequest(crop_id=crop_id)
        return self._call("rollcall.v1.GalleryService/DeleteCrop", request, messages.DeleteCropResponse, timeout, False)

    def list_changes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        student_id: str = "",
        crop_id: str = "",
        undoable: bool = False,
        timeout: float | None = None,
    ) -> messages.ListChangesResponse:
        """ListChanges returns the changes of the gallery, newest first.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            student_id: Only changes about this student; empty: all.
            crop_id: Only changes of this crop; empty: all.
            undoable: Only changes of a kind that can be undone.
        """
        request = messages.ListChangesRequest(page_size=page_size, page_token=page_token, student_id=student_id, crop_id=crop_id, undoable=undoable)
        return self._call("rollcall.v1.GalleryService/ListChanges", request, messages.ListChangesResponse, timeout, True)

    def all_changes(
        self,
        *,
        page_size: int = 0,
        student_id: str = "",
        crop_id: str = "",
        undoable: bool = False,
        timeout: float | None = None,
    ) -> Iterator[messages.Change]:
        """Yields what list_changes lists, page after page."""
        token = ""
        while True:
            page = self.list_changes(page_size=page_size, student_id=student_id, crop_id=crop_id, undoable=undoable, page_token=token, timeout=timeout)
            for one in page.changes:
                yield one
            token = page.next_page_token
            if not token:
                return

    def undo_change(
        self,
        change: int,
        *,
        timeout: float | None = None,
    ) -> messages.UndoChangeResponse:
        """UndoChange takes back an assignment, a merge, a change of groups, or an undo. It is
        refused if something newer stands against it; the error names that change. What was
        deleted does not come back.

        Args:
            change: Its number.
        """
        request = messages.UndoChangeRequest(change=change)
        return self._call("rollcall.v1.GalleryService/UndoChange", request, messages.UndoChangeResponse, timeout, False)

    def get_settings(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.GetSettingsResponse:
        """GetSettings returns the settings, and how much of the gallery can be recognised
        under its model.
        """
        request = messages.GetSettingsRequest()
        return self._call("rollcall.v1.GalleryService/GetSettings", request, messages.GetSettingsResponse, timeout, True)

    def update_settings(
        self,
        *,
        model: str | None = None,
        fpir: float | None = None,
        margin: float | None = None,
        keep_verdicts: int | None = None,
        keep_changes: int | None = None,
        require_consent: bool | None = None,
        timeout: float | None = None,
    ) -> messages.UpdateSettingsResponse:
        """UpdateSettings changes settings, for all later calls. If it sets the model, the
        gallery from then on expects embeddings of the recipe by which this server uses
        the model.

        Args:
            model: The embedder for calls that name none; it must be installed.
            fpir: The wanted false positive identification rate, 1e-9 to 0.5.
            margin: The similarity by which the best student must be ahead of the next one.
            keep_verdicts: How many days the journal keeps verdicts, check-ins and refusals.
            keep_changes: How many days the log keeps what was changed, by whom.
            require_consent: Whether nobody is enrolled whose consent was not given. It changes nothing for those
                who are enrolled already.
        """
        request = messages.UpdateSettingsRequest(model=model, fpir=fpir, margin=margin, keep_verdicts=keep_verdicts, keep_changes=keep_changes, require_consent=require_consent)
        return self._call("rollcall.v1.GalleryService/UpdateSettings", request, messages.UpdateSettingsResponse, timeout, True)

    def get_calibration(
        self,
        *,
        model: str = "",
        timeout: float | None = None,
    ) -> messages.GetCalibrationResponse:
        """GetCalibration returns how the gallery turns an fpir into a threshold.

        Args:
            model: The model; empty: the gallery's.
        """
        request = messages.GetCalibrationRequest(model=model)
        return self._call("rollcall.v1.GalleryService/GetCalibration", request, messages.GetCalibrationResponse, timeout, True)

    def update_calibration(
        self,
        *,
        model: str = "",
        frozen: bool | None = None,
        points: Sequence[messages.OperatingPoint] = (),
        timeout: float | None = None,
    ) -> messages.UpdateCalibrationResponse:
        """UpdateCalibration freezes the calibration, gives one, or lets the gallery calibrate
        itself again.

        Args:
            model: The model; empty: the gallery's.
            frozen: True: the calibration stays as it is. False: a calibration that was given is
                dropped, and the gallery calibrates itself.
            points: The calibration from now on, two points at least, by falling fmr and similarities
                that do not fall. It is frozen.
        """
        request = messages.UpdateCalibrationRequest(model=model, frozen=frozen, points=points)
        return self._call("rollcall.v1.GalleryService/UpdateCalibration", request, messages.UpdateCalibrationResponse, timeout, True)

    def check_consistency(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.CheckConsistencyResponse:
        """CheckConsistency compares what is on disk with what is searched, and names
        each difference. There should be none. It changes nothing, but is not offered
        over GET: it reads the whole gallery from disk, and no link or prefetching
        browser should start that.
        """
        request = messages.CheckConsistencyRequest()
        return self._call("rollcall.v1.GalleryService/CheckConsistency", request, messages.CheckConsistencyResponse, timeout, True)

    def list_galleries(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.ListGalleriesResponse:
        """ListGalleries returns the galleries that the caller may use."""
        request = messages.ListGalleriesRequest()
        return self._call("rollcall.v1.GalleryService/ListGalleries", request, messages.ListGalleriesResponse, timeout, True)

    def create_gallery(
        self,
        gallery_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.CreateGalleryResponse:
        """CreateGallery makes an empty gallery. It is for callers who may use all galleries.

        Args:
            gallery_id: The id of the new gallery.
        """
        request = messages.CreateGalleryRequest(gallery_id=gallery_id)
        return self._call("rollcall.v1.GalleryService/CreateGallery", request, messages.CreateGalleryResponse, timeout, False)

    def delete_gallery(
        self,
        gallery_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteGalleryResponse:
        """DeleteGallery erases a gallery with all students, crops and embeddings in it, and
        its log. Calls that use it have 5 seconds to end. It is for callers who may use all
        galleries. The default gallery cannot be deleted.

        Args:
            gallery_id: The gallery.
        """
        request = messages.DeleteGalleryRequest(gallery_id=gallery_id)
        return self._call("rollcall.v1.GalleryService/DeleteGallery", request, messages.DeleteGalleryResponse, timeout, False)

    def record_check_in(
        self,
        student_id: str,
        method: messages.Method,
        *,
        cancels: int = 0,
        by: str = "",
        request_id: str = "",
        timeout: float | None = None,
    ) -> messages.RecordCheckInResponse:
        """RecordCheckIn records a check-in that was made without a face, or takes back an
        earlier line. It answers only when its line is on disk. With a request_id the
        same call can be made again: it is recorded once, and the answer names the same
        line. A checkin whose token is limited to some groups may record for every student:
        whose face is not enrolled is in no group.

        A line is taken back once: if somebody takes it back again, nothing is recorded, and
        the answer names the line that did. A checkin takes back only lines of its own token,
        for an hour. All others take back any line of the gallery.

        failed_precondition: the line that is taken back is no verdict or check-in of
        this student. permission_denied: it is not this checkin's, or too old for it.
        already_exists: the request_id was used for another check-in, and nothing was
        recorded. unavailable: the disk is nearly full.

        Args:
            student_id: The student. It need not be enrolled: nobody has to give a face.
            method: How the student was checked in.
            cancels: With METHOD_CANCELLED: the number of the line that is taken back.
            by: Who does it: the person at the desk. The name of the token is written too.
            request_id: A key that the client draws at random for each check-in, such as a UUID, and
                repeats when it makes the call again. Empty: each call is recorded. It does not count
                with METHOD_CANCELLED, which needs none: a line is taken back once.
        """
        request = messages.RecordCheckInRequest(student_id=student_id, method=method, cancels=cancels, by=by, request_id=request_id)
        return self._call("rollcall.v1.JournalService/RecordCheckIn", request, messages.RecordCheckInResponse, timeout, True)

    def list_lines(
        self,
        *,
        after: int = 0,
        page_size: int = 0,
        kinds: Sequence[messages.LineKind] = (),
        student_id: str = "",
        verdict: messages.Verdict = messages.Verdict.UNSPECIFIED,
        from_: datetime | None = None,
        until: datetime | None = None,
        server: bool = False,
        timeout: float | None = None,
    ) -> messages.ListLinesResponse:
        """ListLines returns lines page by page, by number. out_of_range: the lines after
        this number were trimmed by age, and the error says where the journal begins; or
        there is no line with this number.

        Args:
            after: Only lines after the one with this number; 0: from the first.
            page_size: At most this many; 0: 100.
            kinds: Only lines of these kinds; empty: all.
            student_id: Only lines about this student; empty: all.
            verdict: Only lines with this verdict; unspecified: all.
            from_: Only lines from this time on; left out: all.
            until: Only lines before this time; left out: all.
            server: The journal of the server itself, with the calls that were refused before they
                reached a gallery. Only for callers who may use all galleries.
        """
        request = messages.ListLinesRequest(after=after, page_size=page_size, kinds=kinds, student_id=student_id, verdict=verdict, from_=from_, until=until, server=server)
        return self._call("rollcall.v1.JournalService/ListLines", request, messages.ListLinesResponse, timeout, True)

    def watch_verdicts(
        self,
        *,
        after: int = 0,
        timeout: float | None = None,
    ) -> Iterator[messages.WatchVerdictsResponse]:
        """WatchVerdicts sends verdicts and check-ins, first those that are there and then
        the new ones, when they are on disk. It ends when the client ends it, when its token
        ends (unauthenticated) or its gallery is deleted (not_found), or with unavailable
        when the server stops: then call it again with the newest number of the last
        response. It begins at once, and sends a response without lines now
        and then, so that a connection that was lost is noticed. out_of_range: as for
        ListLines. Where a client cannot hold a stream open, ListLines gives the same
        lines by pages. Works over HTTP/1.1 too.

        Args:
            after: Send what comes after the line with this number; 0: from the first line.
        """
        request = messages.WatchVerdictsRequest(after=after)
        return self._stream("rollcall.v1.JournalService/WatchVerdicts", request, messages.WatchVerdictsResponse, timeout)

    def list_days(
        self,
        *,
        from_: str = "",
        server: bool = False,
        timeout: float | None = None,
    ) -> messages.ListDaysResponse:
        """ListDays returns the heads of the days. A head proves all lines of its day: keep
        it where nobody can change it, and "rollcall audit verify" compares.

        Args:
            from_: Only days from this date on, such as "2026-11-26"; empty: all.
            server: As in ListLinesRequest.
        """
        request = messages.ListDaysRequest(from_=from_, server=server)
        return self._call("rollcall.v1.JournalService/ListDays", request, messages.ListDaysResponse, timeout, True)

    def export_gallery(
        self,
        *,
        vectors: bool = False,
        timeout: float | None = None,
    ) -> Iterator[messages.ExportGalleryResponse]:
        """ExportGallery streams all records of the gallery, as they are when the call begins:
        the settings, the models, the students, the crops. Vectors go out only to a token
        that may get embeddings (EMBEDDING_NOT_ALLOWED).

        Args:
            vectors: True: with the vectors. A face can be rebuilt from one.
        """
        request = messages.ExportGalleryRequest(vectors=vectors)
        return self._stream("rollcall.v1.ExportService/ExportGallery", request, messages.ExportGalleryResponse, timeout)

    def export_student(
        self,
        student_id: str,
        *,
        vectors: bool = False,
        timeout: float | None = None,
    ) -> Iterator[messages.ExportStudentResponse]:
        """ExportStudent streams all that is kept of one person in the gallery, who has a right
        to see it: the record, the crops, and every line of the log and the journal that names
        the person, also under an id that was merged into this one. The ids of other students
        are left out. Vectors go out only to a token that may get embeddings
        (EMBEDDING_NOT_ALLOWED).

        not_found: neither the gallery nor its log nor its journal has such a student.

        Args:
            student_id: The student.
            vectors: True: with the vectors. A face can be rebuilt from one.
        """
        request = messages.ExportStudentRequest(student_id=student_id, vectors=vectors)
        return self._stream("rollcall.v1.ExportService/ExportStudent", request, messages.ExportStudentResponse, timeout)

    def import_records(
        self,
        records: Sequence[messages.Record],
        *,
        settings: bool = False,
        allow_duplicate: bool = False,
        allow_unlike: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> messages.ImportRecordsResponse:
        """ImportRecords takes records into the gallery. Every rule of an enrolment holds. A
        record that cannot be taken in is a problem, and the others are taken in all the same.
        What is there already is skipped: the same call can be made again.

        Args:
            records: The records. All crops of one student should be in their order.
            settings: True: take the settings too, but for the model.
            allow_duplicate: True: enrol faces that another student's crop resembles.
            allow_unlike: True: enrol faces that are unlike the student's other crops.
            dry_run: True: store nothing, and say what would happen. What the records would do to each
                other is not seen.
        """
        request = messages.ImportRecordsRequest(records=records, settings=settings, allow_duplicate=allow_duplicate, allow_unlike=allow_unlike, dry_run=dry_run)
        return self._call("rollcall.v1.ExportService/ImportRecords", request, messages.ImportRecordsResponse, timeout, True)

    def list_models(
        self,
        *,
        installed_only: bool = False,
        timeout: float | None = None,
    ) -> messages.ListModelsResponse:
        """ListModels returns the catalogue and what is installed of it.

        Args:
            installed_only: Only what is installed.
        """
        request = messages.ListModelsRequest(installed_only=installed_only)
        return self._call("rollcall.v1.ModelService/ListModels", request, messages.ListModelsResponse, timeout, True)

    def get_model(
        self,
        *,
        model: str = "",
        timeout: float | None = None,
    ) -> messages.GetModelResponse:
        """GetModel returns one model.

        Args:
            model: The model; empty: the gallery's.
        """
        request = messages.GetModelRequest(model=model)
        return self._call("rollcall.v1.ModelService/GetModel", request, messages.GetModelResponse, timeout, True)

    def create_token(
        self,
        name: str,
        role: messages.Role,
        *,
        galleries: Sequence[str] = (),
        groups: Sequence[str] = (),
        embeddings: bool = False,
        expires: datetime | None = None,
        timeout: float | None = None,
    ) -> messages.CreateTokenResponse:
        """CreateToken makes a token. The first token of a server must be an admin's for all
        galleries.

        Args:
            name: What people call it: "door, main building".
            role: What it may do.
            galleries: The galleries that it may use; empty: all that the caller may use.
            groups: For a checkin: the groups that it may ask about; empty: all. It asks about all of
                them if a call has no scope.
            embeddings: For enroll and admin: it may get embeddings. A face can be rebuilt from one. Only a
                token that has them makes one (EMBEDDING_NOT_ALLOWED), but for the first.
            expires: When it ends; absent: never.
        """
        request = messages.CreateTokenRequest(name=name, role=role, galleries=galleries, groups=groups, embeddings=embeddings, expires=expires)
        return self._call("rollcall.v1.TokenService/CreateToken", request, messages.CreateTokenResponse, timeout, False)

    def list_tokens(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.ListTokensResponse:
        """ListTokens returns all tokens, sessions and paired tablets, by their time of
        making.
        """
        request = messages.ListTokensRequest()
        return self._call("rollcall.v1.TokenService/ListTokens", request, messages.ListTokensResponse, timeout, True)

    def revoke_token(
        self,
        token_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.RevokeTokenResponse:
        """RevokeToken ends a token for good, with all that was made from it: the sessions
        that it bought, and the tablets that it paired. Calls and streams under way end
        within five seconds. It is idempotent.

        Args:
            token_id: The id of a token, a session or a paired tablet.
        """
        request = messages.RevokeTokenRequest(token_id=token_id)
        return self._call("rollcall.v1.TokenService/RevokeToken", request, messages.RevokeTokenResponse, timeout, True)

    def create_pairing_code(
        self,
        name: str,
        role: messages.Role,
        *,
        galleries: Sequence[str] = (),
        groups: Sequence[str] = (),
        timeout: float | None = None,
    ) -> messages.CreatePairingCodeResponse:
        """CreatePairingCode makes a code for a tablet, to be typed once within ten minutes:
        POST /session with {"code": "…"}. The tablet then stays paired until it is
        revoked, or the token of the admin who paired it is. A restart of the server
        forgets codes, but not tablets.

        failed_precondition: nobody has to log in. resource_exhausted: too many codes
        wait to be used.

        Args:
            name: What people call the tablet.
            role: What it may do: a checkin, a register or an enroll. Others need a token.
            galleries: As in CreateTokenRequest.
            groups: As in CreateTokenRequest.
        """
        request = messages.CreatePairingCodeRequest(name=name, role=role, galleries=galleries, groups=groups)
        return self._call("rollcall.v1.TokenService/CreatePairingCode", request, messages.CreatePairingCodeResponse, timeout, False)


class AsyncCalls(abc.ABC):
    """Every call of the contract. timeout is in seconds; without it, that of the client."""

    @abc.abstractmethod
    async def _call(self, procedure: str, request: Any, answer: type[T], timeout: float | None, repeatable: bool) -> T:
        """Makes a call that has one answer."""

    @abc.abstractmethod
    def _stream(self, procedure: str, request: Any, answer: type[T], timeout: float | None) -> AsyncIterator[T]:
        """Makes a call that is answered by a stream."""

    async def embed(
        self,
        image: Image,
        *,
        crop_id: str = "",
        student_id: str = "",
        groups: Sequence[str] = (),
        model: str = "",
        landmarks: Sequence[messages.Point] = (),
        allow_duplicate: bool = False,
        allow_unlike: bool = False,
        return_embedding: bool = False,
        face: messages.Face = messages.Face.UNSPECIFIED,
        timeout: float | None = None,
    ) -> messages.EmbedResponse:
        """Embed measures a crop. With a crop_id it also stores it. With a student_id
        too it enrols it, so that Identify can match it. It is idempotent: the same
        call again replaces what it stored. It answers only when all is on disk.

        invalid_argument: not an image, too large, no face on it, a bad id.
        already_exists: the face is enrolled under another student.
        invalid_argument, UNLIKE_STUDENT: the face is less like the student's other
        crops than like another student, or like none of them at all.
        failed_precondition: the model is not installed, or the gallery was built
        with another file of it. resource_exhausted: too many callers wait; retry
        after the given delay.

        Args:
            image: A crop, or with face a photo.
            crop_id: The id to store it under; empty: the crop is only measured.
            student_id: Whose face it is. Empty: a new crop is stored but never matched, and an
                enrolled crop stays with its student.
            groups: Groups to add the student to.
            model: The model; empty: the gallery's.
            landmarks: The five landmarks, if the client knows them, in this order: left eye, right
                eye, nose, left and right corner of the mouth. Left and right are as seen in
                the image. Empty: the locator finds them.
            allow_duplicate: Enrol the crop even if it looks like a crop of another student (twins).
            allow_unlike: Enrol the crop even if it is unlike the student's other crops: a grown child, or
                crops of which a wrong one came first.
            return_embedding: Return the embedding too. Only a token that was made for it may ask: an
                embedding is biometric data, from which a face can be rebuilt.
            face: Which face of a photo is meant. Not with landmarks. Unspecified: the image is a
                crop.
        """
        request = messages.EmbedRequest(image=image, crop_id=crop_id, student_id=student_id, groups=groups, model=model, landmarks=landmarks, allow_duplicate=allow_duplicate, allow_unlike=allow_unlike, return_embedding=return_embedding, face=face)
        return await self._call("rollcall.v1.AttendanceService/Embed", request, messages.EmbedResponse, timeout, True)

    async def identify(
        self,
        image: Image = b"",
        *,
        crop_id: str = "",
        scope: messages.Scope | None = None,
        model: str = "",
        landmarks: Sequence[messages.Point] = (),
        fpir: float = 0.0,
        max_candidates: int = 0,
        face: messages.Face = messages.Face.UNSPECIFIED,
        await_line: bool = False,
        timeout: float | None = None,
    ) -> messages.IdentifyResponse:
        """Identify says whose face is on a crop, among the students in scope. It
        changes nothing, but is not offered over GET: an image of a face must not be
        part of an address, because proxies log addresses.

        Args:
            image: A crop, or with face a photo.
            crop_id: Or the id of a stored crop. It is not compared with itself. Not for a checkin.
            scope: The students that the probe may show; empty: everybody, or the groups of the
                caller's token.
            model: The model; empty: the gallery's.
            landmarks: As in EmbedRequest.
            fpir: The wanted false positive identification rate: the share of strangers' probes
                that may get a MATCH. 0: the gallery's rate, which is one in 1,000 unless its
                settings say otherwise. It has an effect only if the model is calibrated.
            max_candidates: How many candidates to return; 0: five. A checkin gets at most three, without
                the ids of crops.
            face: As in EmbedRequest.
            await_line: Answer only when the verdict's line in the journal is on disk, and tell its number,
                so that RecordCheckIn can take it back.
        """
        request = messages.IdentifyRequest(image=image, crop_id=crop_id, scope=scope, model=model, landmarks=landmarks, fpir=fpir, max_candidates=max_candidates, face=face, await_line=await_line)
        return await self._call("rollcall.v1.AttendanceService/Identify", request, messages.IdentifyResponse, timeout, True)

    async def verify(
        self,
        student_id: str,
        image: Image,
        *,
        landmarks: Sequence[messages.Point] = (),
        face: messages.Face = messages.Face.UNSPECIFIED,
        model: str = "",
        fmr: float = 0.0,
        timeout: float | None = None,
    ) -> messages.VerifyResponse:
        """Verify says whether a face is that of one student, whose name is known: from a
        card, say. It compares the face with the crops of this student alone.

        not_found: the gallery has no such student, or no crop of the student under the
        model.

        Args:
            student_id: The student whom the face is said to be.
            image: A crop, or with face a photo.
            landmarks: As in EmbedRequest.
            face: As in EmbedRequest.
            model: The model; empty: the gallery's.
            fmr: The wanted false match rate: the share of other people who pass for the student.
                0: one in 1,000. It has an effect only if the model is calibrated.
        """
        request = messages.VerifyRequest(student_id=student_id, image=image, landmarks=landmarks, face=face, model=model, fmr=fmr)
        return await self._call("rollcall.v1.AttendanceService/Verify", request, messages.VerifyResponse, timeout, True)

    async def identify_burst(
        self,
        frames: Sequence[messages.BurstFrame | Image],
        *,
        scope: messages.Scope | None = None,
        model: str = "",
        fpir: float = 0.0,
        max_candidates: int = 0,
        await_line: bool = False,
        timeout: float | None = None,
    ) -> messages.IdentifyBurstResponse:
        """IdentifyBurst says whose face is on some frames of one person, such as a camera
        at the door takes within a second. Their evidence is combined into one verdict. A
        frame that cannot be judged, or shows another person than most of them, does not
        count; the answer says which ones do and why others do not.

        Args:
            frames: The frames, in the order in which they were taken. All images together may have
                about 45 MiB.
            scope: The students that the frames may show; empty: everybody, or the groups of the
                caller's token.
            model: The model; empty: the gallery's.
            fpir: As in IdentifyRequest. It is the rate of bursts, not of frames.
            max_candidates: As in IdentifyRequest.
            await_line: As in IdentifyRequest.
        """
        request = messages.IdentifyBurstRequest(frames=[one if isinstance(one, messages.BurstFrame) else messages.BurstFrame(image=one) for one in frames], scope=scope, model=model, fpir=fpir, max_candidates=max_candidates, await_line=await_line)
        return await self._call("rollcall.v1.AttendanceService/IdentifyBurst", request, messages.IdentifyBurstResponse, timeout, True)

    async def roll_call(
        self,
        *,
        probes: Sequence[messages.RollCallProbe | Image] = (),
        scope: messages.Scope | None = None,
        model: str = "",
        fpir: float = 0.0,
        photo: Image = b"",
        least_size: float = 0.0,
        timeout: float | None = None,
    ) -> messages.RollCallResponse:
        """RollCall takes a photo of a class, or the crops of one. It assigns each student
        in scope to at most one face, and each face to at most one student, so that
        the sum of the similarities above the threshold is the greatest. It also says
        who is absent.

        Args:
            probes: The crops, at most one of each person.
            scope: Who should be there; empty: everybody, or the groups of the caller's token.
            model: The model; empty: the gallery's.
            fpir: As in IdentifyRequest, for each face.
            photo: Or the photo, with at most 200 faces.
            least_size: The size of the smallest face of the photo that has to be found, as in
                DetectRequest.
        """
        request = messages.RollCallRequest(probes=[one if isinstance(one, messages.RollCallProbe) else messages.RollCallProbe(image=one) for one in probes], scope=scope, model=model, fpir=fpir, photo=photo, least_size=least_size)
        return await self._call("rollcall.v1.AttendanceService/RollCall", request, messages.RollCallResponse, timeout, True)

    async def detect(
        self,
        image: Image,
        *,
        least_size: float = 0.0,
        timeout: float | None = None,
    ) -> messages.DetectResponse:
        """Detect finds the faces of a photo or of a camera's frame, of at most 16 MiB.
        It changes nothing and stores nothing. A photo without faces is no error.
        An image whose longer side is more than 20 times the shorter one is not
        searched: the answer has no faces. Photos have their own queue, so that they
        do not delay check-ins. resource_exhausted: this queue is full; retry after
        the given delay.

        Args:
            image: The image, with any number of faces.
            least_size: The size of the smallest face that has to be found, in pixels, measured like
                FoundFace.size. The work grows with its inverse square. 0 means 48 in a frame of up
                to 640 x 480 pixels, 24 in a photo of up to 6 megapixels, 34 in one of 12
                megapixels and 48 in one of 24. Most faces down to five sixths of this size are
                found too. The work is bounded: in a photo of 24 megapixels, faces smaller than
                24 are not looked for.
        """
        request = messages.DetectRequest(image=image, least_size=least_size)
        return await self._call("rollcall.v1.AttendanceService/Detect", request, messages.DetectResponse, timeout, True)

    def backup(
        self,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.BackupResponse]:
        """Backup streams a backup, which "rollcall restore" reads. It holds everything that
        was acknowledged before the call; others go on meanwhile. The stream that ends
        without an error is whole. Works over HTTP/1.1 too.

        resource_exhausted: another backup is being made (BACKUP_RUNNING). unavailable: the
        disk is nearly full, or the server stops. A client that takes longer than a minute
        for one response is cut off.
        """
        request = messages.BackupRequest()
        return self._stream("rollcall.v1.BackupService/Backup", request, messages.BackupResponse, timeout)

    async def get_student(
        self,
        student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.GetStudentResponse:
        """GetStudent returns a student with its crops.

        Args:
            student_id: The student.
        """
        request = messages.GetStudentRequest(student_id=student_id)
        return await self._call("rollcall.v1.GalleryService/GetStudent", request, messages.GetStudentResponse, timeout, True)

    async def list_students(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        group: str = "",
        timeout: float | None = None,
    ) -> messages.ListStudentsResponse:
        """ListStudents returns the students page by page, by id.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            group: Only students of this group; empty: all.
        """
        request = messages.ListStudentsRequest(page_size=page_size, page_token=page_token, group=group)
        return await self._call("rollcall.v1.GalleryService/ListStudents", request, messages.ListStudentsResponse, timeout, True)

    async def all_students(
        self,
        *,
        page_size: int = 0,
        group: str = "",
        timeout: float | None = None,
    ) -> AsyncIterator[messages.Student]:
        """Yields what list_students lists, page after page."""
        token = ""
        while True:
            page = await self.list_students(page_size=page_size, group=group, page_token=token, timeout=timeout)
            for one in page.students:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def update_student(
        self,
        student_id: str,
        groups: Sequence[str],
        *,
        create: bool = False,
        timeout: float | None = None,
    ) -> messages.UpdateStudentResponse:
        """UpdateStudent replaces the groups of a student.

        Args:
            student_id: The student.
            groups: All groups that the student is in from now on; empty: none.
            create: Makes the student if there is none, without crops.
        """
        request = messages.UpdateStudentRequest(student_id=student_id, groups=groups, create=create)
        return await self._call("rollcall.v1.GalleryService/UpdateStudent", request, messages.UpdateStudentResponse, timeout, True)

    async def merge_students(
        self,
        from_student_id: str,
        into_student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.MergeStudentsResponse:
        """MergeStudents gives all crops and groups of one student to another, in one change,
        and takes the first student off the list: one person was enrolled under two ids.
        The crops count as corrected. UndoChange takes it back.

        Args:
            from_student_id: The student whose crops and groups go to the other one, and who is then gone.
            into_student_id: The student who stays.
        """
        request = messages.MergeStudentsRequest(from_student_id=from_student_id, into_student_id=into_student_id)
        return await self._call("rollcall.v1.GalleryService/MergeStudents", request, messages.MergeStudentsResponse, timeout, False)

    async def list_lookalikes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> messages.ListLookalikesResponse:
        """ListLookalikes returns pairs of students of whom one could be taken for the other:
        somebody enrolled twice, a crop of the wrong child, twins, siblings. Each student is
        compared with all others, exactly, some students at a time. Ask for page after page
        until there is no next one. Each page has its nearest pairs first, and no pair is on
        two pages.

        Args:
            page_size: At most this many pairs; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
        """
        request = messages.ListLookalikesRequest(page_size=page_size, page_token=page_token)
        return await self._call("rollcall.v1.GalleryService/ListLookalikes", request, messages.ListLookalikesResponse, timeout, True)

    async def all_lookalikes(
        self,
        *,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.Lookalike]:
        """Yields what list_lookalikes lists, page after page."""
        token = ""
        while True:
            page = await self.list_lookalikes(page_size=page_size, page_token=token, timeout=timeout)
            for one in page.lookalikes:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def delete_student(
        self,
        student_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteStudentResponse:
        """DeleteStudent erases a student with all its crops and embeddings, from the lines of the
        log and the journal, and from the files of the server, and notes that in the list of
        erasures. Who was merged into the student is the same person, and is erased with it. A
        student who has no record, but whom the log or the journal names, is erased from
        these. Nothing brings it back.

        The student is gone when the call is answered. Rewriting the files takes about as long
        as reading the gallery; the call waits up to 20 seconds for that.

        Args:
            student_id: The student.
        """
        request = messages.DeleteStudentRequest(student_id=student_id)
        return await self._call("rollcall.v1.GalleryService/DeleteStudent", request, messages.DeleteStudentResponse, timeout, False)

    async def set_consent(
        self,
        student_id: str,
        consent: messages.Consent | None,
        *,
        timeout: float | None = None,
    ) -> messages.SetConsentResponse:
        """SetConsent notes what was said about enrolling a student's face. A student that does not
        exist is created, so that it can be noted before the first picture. Where consent was
        refused or withdrawn, nothing of the student can be enrolled (NO_CONSENT), whatever
        the settings say, and what is enrolled is erased: all crops and embeddings, the
        student's groups, and its name in the journal and the log. The record with the id and
        the consent stays. The list of erasures notes a refusal too: so it holds after the
        student was deleted, or an older backup restored, until a consent is given.

        Args:
            student_id: The student.
            consent: What was said.
        """
        request = messages.SetConsentRequest(student_id=student_id, consent=consent)
        return await self._call("rollcall.v1.GalleryService/SetConsent", request, messages.SetConsentResponse, timeout, True)

    async def set_delete_after(
        self,
        student_id: str,
        delete_after: str,
        *,
        timeout: float | None = None,
    ) -> messages.SetDeleteAfterResponse:
        """SetDeleteAfter says until when a student is kept. The server looks once a day, and
        erases those whose day is over.

        Args:
            student_id: The student.
            delete_after: The last day, UTC, on which the student is kept, as "2026-07-31"; empty: no day is
                set any more.
        """
        request = messages.SetDeleteAfterRequest(student_id=student_id, delete_after=delete_after)
        return await self._call("rollcall.v1.GalleryService/SetDeleteAfter", request, messages.SetDeleteAfterResponse, timeout, True)

    async def list_due_students(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        group: str = "",
        max_age_days: int = 0,
        timeout: float | None = None,
    ) -> messages.ListDueStudentsResponse:
        """ListDueStudents returns the students who should be photographed again, page by
        page, by id, and says why. It changes nothing: a person takes the picture and
        enrols it.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            group: Only students of this group; empty: all.
            max_age_days: A student whose newest picture is older than this many days is due; 0: 365.
                Children change within a year.
        """
        request = messages.ListDueStudentsRequest(page_size=page_size, page_token=page_token, group=group, max_age_days=max_age_days)
        return await self._call("rollcall.v1.GalleryService/ListDueStudents", request, messages.ListDueStudentsResponse, timeout, True)

    async def all_due_students(
        self,
        *,
        page_size: int = 0,
        group: str = "",
        max_age_days: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.DueStudent]:
        """Yields what list_due_students lists, page after page."""
        token = ""
        while True:
            page = await self.list_due_students(page_size=page_size, group=group, max_age_days=max_age_days, page_token=token, timeout=timeout)
            for one in page.students:
                yield one
            token = page.next_page_token
            if not token:
                return

    def list_inactive_students(
        self,
        since: datetime | None,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.ListInactiveStudentsResponse]:
        """ListInactiveStudents streams the students who had no match and no check-in since a
        time, by their ids. Students who came into the gallery later are left out. It reads the
        journal once, from its beginning.

        Args:
            since: Who had neither match nor check-in from this time on is inactive.
        """
        request = messages.ListInactiveStudentsRequest(since=since)
        return self._stream("rollcall.v1.GalleryService/ListInactiveStudents", request, messages.ListInactiveStudentsResponse, timeout)

    async def get_crop(
        self,
        crop_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.GetCropResponse:
        """GetCrop returns what the gallery keeps of a crop.

        Args:
            crop_id: The crop.
        """
        request = messages.GetCropRequest(crop_id=crop_id)
        return await self._call("rollcall.v1.GalleryService/GetCrop", request, messages.GetCropResponse, timeout, True)

    async def assign_crop(
        self,
        crop_id: str,
        student_id: str,
        *,
        expected_student_id: str | None = None,
        timeout: float | None = None,
    ) -> messages.AssignCropResponse:
        """AssignCrop corrects whose face a crop shows. The correction stays: a later
        Embed of the same crop with another student does not change it.

        Args:
            crop_id: The crop.
            student_id: Whose face it is; empty: nobody's, so that it is never matched. If there is no
                student with this id, a new one is made.
            expected_student_id: Whose crop the caller takes it to be now; empty: nobody's. If it is another student's
                by then, the call is refused as STUDENT_CHANGED. Left out: whoever's it is.
        """
        request = messages.AssignCropRequest(crop_id=crop_id, student_id=student_id, expected_student_id=expected_student_id)
        return await self._call("rollcall.v1.GalleryService/AssignCrop", request, messages.AssignCropResponse, timeout, True)

    async def delete_crop(
        self,
        crop_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteCropResponse:
        """DeleteCrop erases a crop and its embeddings, as DeleteStudent erases a student.

        Args:
            crop_id: The crop.
        """
        request = messages.DeleteCropRequest(crop_id=crop_id)
        return await self._call("rollcall.v1.GalleryService/DeleteCrop", request, messages.DeleteCropResponse, timeout, False)

    async def list_changes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        student_id: str = "",
        crop_id: str = "",
        undoable: bool = False,
        timeout: float | None = None,
    ) -> messages.ListChangesResponse:
        """ListChanges returns the changes of the gallery, newest first.

        Args:
            page_size: At most this many; 0: 100.
            page_token: next_page_token of the page before; empty: the first page.
            student_id: Only changes about this student; empty: all.
            crop_id: Only changes of this crop; empty: all.
            undoable: Only changes of a kind that can be undone.
        """
        request = messages.ListChangesRequest(page_size=page_size, page_token=page_token, student_id=student_id, crop_id=crop_id, undoable=undoable)
        return await self._call("rollcall.v1.GalleryService/ListChanges", request, messages.ListChangesResponse, timeout, True)

    async def all_changes(
        self,
        *,
        page_size: int = 0,
        student_id: str = "",
        crop_id: str = "",
        undoable: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.Change]:
        """Yields what list_changes lists, page after page."""
        token = ""
        while True:
            page = await self.list_changes(page_size=page_size, student_id=student_id, crop_id=crop_id, undoable=undoable, page_token=token, timeout=timeout)
            for one in page.changes:
                yield one
            token = page.next_page_token
            if not token:
                return

    async def undo_change(
        self,
        change: int,
        *,
        timeout: float | None = None,
    ) -> messages.UndoChangeResponse:
        """UndoChange takes back an assignment, a merge, a change of groups, or an undo. It is
        refused if something newer stands against it; the error names that change. What was
        deleted does not come back.

        Args:
            change: Its number.
        """
        request = messages.UndoChangeRequest(change=change)
        return await self._call("rollcall.v1.GalleryService/UndoChange", request, messages.UndoChangeResponse, timeout, False)

    async def get_settings(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.GetSettingsResponse:
        """GetSettings returns the settings, and how much of the gallery can be recognised
        under its model.
        """
        request = messages.GetSettingsRequest()
        return await self._call("rollcall.v1.GalleryService/GetSettings", request, messages.GetSettingsResponse, timeout, True)

    async def update_settings(
        self,
        *,
        model: str | None = None,
        fpir: float | None = None,
        margin: float | None = None,
        keep_verdicts: int | None = None,
        keep_changes: int | None = None,
        require_consent: bool | None = None,
        timeout: float | None = None,
    ) -> messages.UpdateSettingsResponse:
        """UpdateSettings changes settings, for all later calls. If it sets the model, the
        gallery from then on expects embeddings of the recipe by which this server uses
        the model.

        Args:
            model: The embedder for calls that name none; it must be installed.
            fpir: The wanted false positive identification rate, 1e-9 to 0.5.
            margin: The similarity by which the best student must be ahead of the next one.
            keep_verdicts: How many days the journal keeps verdicts, check-ins and refusals.
            keep_changes: How many days the log keeps what was changed, by whom.
            require_consent: Whether nobody is enrolled whose consent was not given. It changes nothing for those
                who are enrolled already.
        """
        request = messages.UpdateSettingsRequest(model=model, fpir=fpir, margin=margin, keep_verdicts=keep_verdicts, keep_changes=keep_changes, require_consent=require_consent)
        return await self._call("rollcall.v1.GalleryService/UpdateSettings", request, messages.UpdateSettingsResponse, timeout, True)

    async def get_calibration(
        self,
        *,
        model: str = "",
        timeout: float | None = None,
    ) -> messages.GetCalibrationResponse:
        """GetCalibration returns how the gallery turns an fpir into a threshold.

        Args:
            model: The model; empty: the gallery's.
        """
        request = messages.GetCalibrationRequest(model=model)
        return await self._call("rollcall.v1.GalleryService/GetCalibration", request, messages.GetCalibrationResponse, timeout, True)

    async def update_calibration(
        self,
        *,
        model: str = "",
        frozen: bool | None = None,
        points: Sequence[messages.OperatingPoint] = (),
        timeout: float | None = None,
    ) -> messages.UpdateCalibrationResponse:
        """UpdateCalibration freezes the calibration, gives one, or lets the gallery calibrate
        itself again.

        Args:
            model: The model; empty: the gallery's.
            frozen: True: the calibration stays as it is. False: a calibration that was given is
                dropped, and the gallery calibrates itself.
            points: The calibration from now on, two points at least, by falling fmr and similarities
                that do not fall. It is frozen.
        """
        request = messages.UpdateCalibrationRequest(model=model, frozen=frozen, points=points)
        return await self._call("rollcall.v1.GalleryService/UpdateCalibration", request, messages.UpdateCalibrationResponse, timeout, True)

    async def check_consistency(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.CheckConsistencyResponse:
        """CheckConsistency compares what is on disk with what is searched, and names
        each difference. There should be none. It changes nothing, but is not offered
        over GET: it reads the whole gallery from disk, and no link or prefetching
        browser should start that.
        """
        request = messages.CheckConsistencyRequest()
        return await self._call("rollcall.v1.GalleryService/CheckConsistency", request, messages.CheckConsistencyResponse, timeout, True)

    async def list_galleries(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.ListGalleriesResponse:
        """ListGalleries returns the galleries that the caller may use."""
        request = messages.ListGalleriesRequest()
        return await self._call("rollcall.v1.GalleryService/ListGalleries", request, messages.ListGalleriesResponse, timeout, True)

    async def create_gallery(
        self,
        gallery_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.CreateGalleryResponse:
        """CreateGallery makes an empty gallery. It is for callers who may use all galleries.

        Args:
            gallery_id: The id of the new gallery.
        """
        request = messages.CreateGalleryRequest(gallery_id=gallery_id)
        return await self._call("rollcall.v1.GalleryService/CreateGallery", request, messages.CreateGalleryResponse, timeout, False)

    async def delete_gallery(
        self,
        gallery_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.DeleteGalleryResponse:
        """DeleteGallery erases a gallery with all students, crops and embeddings in it, and
        its log. Calls that use it have 5 seconds to end. It is for callers who may use all
        galleries. The default gallery cannot be deleted.

        Args:
            gallery_id: The gallery.
        """
        request = messages.DeleteGalleryRequest(gallery_id=gallery_id)
        return await self._call("rollcall.v1.GalleryService/DeleteGallery", request, messages.DeleteGalleryResponse, timeout, False)

    async def record_check_in(
        self,
        student_id: str,
        method: messages.Method,
        *,
        cancels: int = 0,
        by: str = "",
        request_id: str = "",
        timeout: float | None = None,
    ) -> messages.RecordCheckInResponse:
        """RecordCheckIn records a check-in that was made without a face, or takes back an
        earlier line. It answers only when its line is on disk. With a request_id the
        same call can be made again: it is recorded once, and the answer names the same
        line. A checkin whose token is limited to some groups may record for every student:
        whose face is not enrolled is in no group.

        A line is taken back once: if somebody takes it back again, nothing is recorded, and
        the answer names the line that did. A checkin takes back only lines of its own token,
        for an hour. All others take back any line of the gallery.

        failed_precondition: the line that is taken back is no verdict or check-in of
        this student. permission_denied: it is not this checkin's, or too old for it.
        already_exists: the request_id was used for another check-in, and nothing was
        recorded. unavailable: the disk is nearly full.

        Args:
            student_id: The student. It need not be enrolled: nobody has to give a face.
            method: How the student was checked in.
            cancels: With METHOD_CANCELLED: the number of the line that is taken back.
            by: Who does it: the person at the desk. The name of the token is written too.
            request_id: A key that the client draws at random for each check-in, such as a UUID, and
                repeats when it makes the call again. Empty: each call is recorded. It does not count
                with METHOD_CANCELLED, which needs none: a line is taken back once.
        """
        request = messages.RecordCheckInRequest(student_id=student_id, method=method, cancels=cancels, by=by, request_id=request_id)
        return await self._call("rollcall.v1.JournalService/RecordCheckIn", request, messages.RecordCheckInResponse, timeout, True)

    async def list_lines(
        self,
        *,
        after: int = 0,
        page_size: int = 0,
        kinds: Sequence[messages.LineKind] = (),
        student_id: str = "",
        verdict: messages.Verdict = messages.Verdict.UNSPECIFIED,
        from_: datetime | None = None,
        until: datetime | None = None,
        server: bool = False,
        timeout: float | None = None,
    ) -> messages.ListLinesResponse:
        """ListLines returns lines page by page, by number. out_of_range: the lines after
        this number were trimmed by age, and the error says where the journal begins; or
        there is no line with this number.

        Args:
            after: Only lines after the one with this number; 0: from the first.
            page_size: At most this many; 0: 100.
            kinds: Only lines of these kinds; empty: all.
            student_id: Only lines about this student; empty: all.
            verdict: Only lines with this verdict; unspecified: all.
            from_: Only lines from this time on; left out: all.
            until: Only lines before this time; left out: all.
            server: The journal of the server itself, with the calls that were refused before they
                reached a gallery. Only for callers who may use all galleries.
        """
        request = messages.ListLinesRequest(after=after, page_size=page_size, kinds=kinds, student_id=student_id, verdict=verdict, from_=from_, until=until, server=server)
        return await self._call("rollcall.v1.JournalService/ListLines", request, messages.ListLinesResponse, timeout, True)

    def watch_verdicts(
        self,
        *,
        after: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.WatchVerdictsResponse]:
        """WatchVerdicts sends verdicts and check-ins, first those that are there and then
        the new ones, when they are on disk. It ends when the client ends it, when its token
        ends (unauthenticated) or its gallery is deleted (not_found), or with unavailable
        when the server stops: then call it again with the newest number of the last
        response. It begins at once, and sends a response without lines now
        and then, so that a connection that was lost is noticed. out_of_range: as for
        ListLines. Where a client cannot hold a stream open, ListLines gives the same
        lines by pages. Works over HTTP/1.1 too.

        Args:
            after: Send what comes after the line with this number; 0: from the first line.
        """
        request = messages.WatchVerdictsRequest(after=after)
        return self._stream("rollcall.v1.JournalService/WatchVerdicts", request, messages.WatchVerdictsResponse, timeout)

    async def list_days(
        self,
        *,
        from_: str = "",
        server: bool = False,
        timeout: float | None = None,
    ) -> messages.ListDaysResponse:
        """ListDays returns the heads of the days. A head proves all lines of its day: keep
        it where nobody can change it, and "rollcall audit verify" compares.

        Args:
            from_: Only days from this date on, such as "2026-11-26"; empty: all.
            server: As in ListLinesRequest.
        """
        request = messages.ListDaysRequest(from_=from_, server=server)
        return await self._call("rollcall.v1.JournalService/ListDays", request, messages.ListDaysResponse, timeout, True)

    def export_gallery(
        self,
        *,
        vectors: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.ExportGalleryResponse]:
        """ExportGallery streams all records of the gallery, as they are when the call begins:
        the settings, the models, the students, the crops. Vectors go out only to a token
        that may get embeddings (EMBEDDING_NOT_ALLOWED).

        Args:
            vectors: True: with the vectors. A face can be rebuilt from one.
        """
        request = messages.ExportGalleryRequest(vectors=vectors)
        return self._stream("rollcall.v1.ExportService/ExportGallery", request, messages.ExportGalleryResponse, timeout)

    def export_student(
        self,
        student_id: str,
        *,
        vectors: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[messages.ExportStudentResponse]:
        """ExportStudent streams all that is kept of one person in the gallery, who has a right
        to see it: the record, the crops, and every line of the log and the journal that names
        the person, also under an id that was merged into this one. The ids of other students
        are left out. Vectors go out only to a token that may get embeddings
        (EMBEDDING_NOT_ALLOWED).

        not_found: neither the gallery nor its log nor its journal has such a student.

        Args:
            student_id: The student.
            vectors: True: with the vectors. A face can be rebuilt from one.
        """
        request = messages.ExportStudentRequest(student_id=student_id, vectors=vectors)
        return self._stream("rollcall.v1.ExportService/ExportStudent", request, messages.ExportStudentResponse, timeout)

    async def import_records(
        self,
        records: Sequence[messages.Record],
        *,
        settings: bool = False,
        allow_duplicate: bool = False,
        allow_unlike: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> messages.ImportRecordsResponse:
        """ImportRecords takes records into the gallery. Every rule of an enrolment holds. A
        record that cannot be taken in is a problem, and the others are taken in all the same.
        What is there already is skipped: the same call can be made again.

        Args:
            records: The records. All crops of one student should be in their order.
            settings: True: take the settings too, but for the model.
            allow_duplicate: True: enrol faces that another student's crop resembles.
            allow_unlike: True: enrol faces that are unlike the student's other crops.
            dry_run: True: store nothing, and say what would happen. What the records would do to each
                other is not seen.
        """
        request = messages.ImportRecordsRequest(records=records, settings=settings, allow_duplicate=allow_duplicate, allow_unlike=allow_unlike, dry_run=dry_run)
        return await self._call("rollcall.v1.ExportService/ImportRecords", request, messages.ImportRecordsResponse, timeout, True)

    async def list_models(
        self,
        *,
        installed_only: bool = False,
        timeout: float | None = None,
    ) -> messages.ListModelsResponse:
        """ListModels returns the catalogue and what is installed of it.

        Args:
            installed_only: Only what is installed.
        """
        request = messages.ListModelsRequest(installed_only=installed_only)
        return await self._call("rollcall.v1.ModelService/ListModels", request, messages.ListModelsResponse, timeout, True)

    async def get_model(
        self,
        *,
        model: str = "",
        timeout: float | None = None,
    ) -> messages.GetModelResponse:
        """GetModel returns one model.

        Args:
            model: The model; empty: the gallery's.
        """
        request = messages.GetModelRequest(model=model)
        return await self._call("rollcall.v1.ModelService/GetModel", request, messages.GetModelResponse, timeout, True)

    async def create_token(
        self,
        name: str,
        role: messages.Role,
        *,
        galleries: Sequence[str] = (),
        groups: Sequence[str] = (),
        embeddings: bool = False,
        expires: datetime | None = None,
        timeout: float | None = None,
    ) -> messages.CreateTokenResponse:
        """CreateToken makes a token. The first token of a server must be an admin's for all
        galleries.

        Args:
            name: What people call it: "door, main building".
            role: What it may do.
            galleries: The galleries that it may use; empty: all that the caller may use.
            groups: For a checkin: the groups that it may ask about; empty: all. It asks about all of
                them if a call has no scope.
            embeddings: For enroll and admin: it may get embeddings. A face can be rebuilt from one. Only a
                token that has them makes one (EMBEDDING_NOT_ALLOWED), but for the first.
            expires: When it ends; absent: never.
        """
        request = messages.CreateTokenRequest(name=name, role=role, galleries=galleries, groups=groups, embeddings=embeddings, expires=expires)
        return await self._call("rollcall.v1.TokenService/CreateToken", request, messages.CreateTokenResponse, timeout, False)

    async def list_tokens(
        self,
        *,
        timeout: float | None = None,
    ) -> messages.ListTokensResponse:
        """ListTokens returns all tokens, sessions and paired tablets, by their time of
        making.
        """
        request = messages.ListTokensRequest()
        return await self._call("rollcall.v1.TokenService/ListTokens", request, messages.ListTokensResponse, timeout, True)

    async def revoke_token(
        self,
        token_id: str,
        *,
        timeout: float | None = None,
    ) -> messages.RevokeTokenResponse:
        """RevokeToken ends a token for good, with all that was made from it: the sessions
        that it bought, and the tablets that it paired. Calls and streams under way end
        within five seconds. It is idempotent.

        Args:
            token_id: The id of a token, a session or a paired tablet.
        """
        request = messages.RevokeTokenRequest(token_id=token_id)
        return await self._call("rollcall.v1.TokenService/RevokeToken", request, messages.RevokeTokenResponse, timeout, True)

    async def create_pairing_code(
        self,
        name: str,
        role: messages.Role,
        *,
        galleries: Sequence[str] = (),
        groups: Sequence[str] = (),
        timeout: float | None = None,
    ) -> messages.CreatePairingCodeResponse:
        """CreatePairingCode makes a code for a tablet, to be typed once within ten minutes:
        POST /session with {"code": "…"}. The tablet then stays paired until it is
        revoked, or the token of the admin who paired it is. A restart of the server
        forgets codes, but not tablets.

        failed_precondition: nobody has to log in. resource_exhausted: too many codes
        wait to be used.

        Args:
            name: What people call the tablet.
            role: What it may do: a checkin, a register or an enroll. Others need a token.
            galleries: As in CreateTokenRequest.
            groups: As in CreateTokenRequest.
        """
        request = messages.CreatePairingCodeRequest(name=name, role=role, galleries=galleries, groups=groups)
        return await self._call("rollcall.v1.TokenService/CreatePairingCode", request, messages.CreatePairingCodeResponse, timeout, False)

