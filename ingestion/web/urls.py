"""The pages of feeds."""

from django.urls import path

from ingestion.web import views

urlpatterns = [
    path("feeds", views.feeds_page, name="feeds"),
    path("feeds/<uuid:public_id>", views.feed_page, name="feed"),
    path("feeds/<uuid:public_id>/schedule", views.change_schedule, name="feed-schedule"),
    path("feeds/<uuid:public_id>/rejected-rows", views.decide_rejected_rows, name="feed-rejected-rows"),
    path("feeds/<uuid:public_id>/conflicts", views.decide_conflicts, name="feed-conflicts"),
]
