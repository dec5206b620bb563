"""The tables: students with their pictures, and who was there."""

from django.db import models


class Student(models.Model):
    """A student of the school. The number is the student's id in Rollcall."""

    number = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    group = models.CharField(max_length=100, help_text="the class: the student's group in Rollcall")


class Picture(models.Model):
    """A picture of one student's face."""

    student = models.ForeignKey(Student, models.CASCADE)
    image = models.ImageField(upload_to="pictures")
    crop_id = models.CharField(max_length=128, blank=True, help_text="its id in Rollcall; empty: not enrolled yet")
    refused = models.TextField(blank=True, help_text="why Rollcall did not enrol it")
    deepface = models.JSONField(null=True, blank=True, help_text="the vector that the old system computed")


class Attendance(models.Model):
    """One check-in: a line of Rollcall's journal."""

    line = models.PositiveBigIntegerField(unique=True)
    # No foreign key: a line is never refused because the student came into this database later.
    number = models.CharField(max_length=100, db_index=True)
    time = models.DateTimeField()
    method = models.CharField(max_length=30, help_text="face, or how it was recorded without one")
    cancelled_by = models.PositiveBigIntegerField(null=True, help_text="the line that took it back")

    class Meta:
        permissions = [("check_in", "Can check students in")]


class Cursor(models.Model):
    """How far the journal of a gallery was read."""

    gallery = models.CharField(max_length=128, primary_key=True)
    newest = models.PositiveBigIntegerField(default=0)


class Comparison(models.Model):
    """What the old system and Rollcall said about the same picture. Empty numbers: nobody."""

    time = models.DateTimeField(auto_now_add=True, db_index=True)
    old = models.CharField(max_length=100, blank=True)
    new = models.CharField(max_length=100, blank=True)
    verdict = models.CharField(max_length=30, blank=True)
    similarity = models.FloatField(default=0)
    threshold = models.FloatField(default=0)
    error = models.TextField(blank=True, help_text="why Rollcall could not be asked")
