"""Polling of files: folders, SFTP servers and S3 buckets."""
