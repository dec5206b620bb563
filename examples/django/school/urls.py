from django.urls import path

from attendance import views

urlpatterns = [
    path("students/<str:number>/pictures", views.enrol),
    path("check-in", views.check_in),
    path("health", views.health),
]
