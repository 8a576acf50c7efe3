"""The pages of feeds."""

from django.urls import path

from ingestion import views

urlpatterns = [
    path("", views.feeds_page, name="feeds"),
    path("/<uuid:public_id>", views.feed_page, name="feed"),
    path("/<uuid:public_id>/schedule", views.change_schedule, name="feed-schedule"),
    path("/<uuid:public_id>/rejected-rows", views.decide_rejected_rows, name="feed-rejected-rows"),
    path("/<uuid:public_id>/conflicts", views.decide_conflicts, name="feed-conflicts"),
]
