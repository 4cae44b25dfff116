"""The S3 source action: a version of an object becomes the output artifact.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html
"""

from __future__ import annotations

import io
import zipfile

from botocore.exceptions import ClientError

from sink_sandbox.services.codepipeline.actions.context import Context, aws_errors
from sink_sandbox.services.codepipeline.jobs import ActionFailed, Outcome, Revision

_SUMMARY = "codepipeline-artifact-revision-summary"
"""User metadata of the object that becomes the revision's summary."""


def run_source(context: Context) -> Outcome:
    """Fetch the version that started the execution, else the latest."""
    job = context.job
    s3 = context.client("s3")
    bucket, key = job.configuration["S3Bucket"], job.configuration["S3ObjectKey"]
    with aws_errors("ConfigurationError"):
        if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            raise ActionFailed(
                "ConfigurationError", f"The source bucket {bucket} must have versioning enabled."
            )
    arguments = {"Bucket": bucket, "Key": key}
    if job.source_revision:
        arguments["VersionId"] = job.source_revision
    try:
        found = s3.get_object(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            # AWS's words: https://docs.aws.amazon.com/codepipeline/latest/userguide/troubleshooting.html
            raise ActionFailed(
                "PermissionError",
                "The service role or action role doesn't have the permissions required to access the Amazon "
                f"S3 bucket named {bucket}. Update the IAM role permissions, and then try again. Error: "
                f"{error.response['Error']['Message']}",
            ) from error
        which = f" in version {job.source_revision}" if job.source_revision else ""
        raise ActionFailed(
            "RevisionUnavailable", f"The object with key {key}{which} does not exist in the bucket {bucket}."
        ) from error
    content = found["Body"].read()
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ActionFailed("ConfigurationError", f"The source object {bucket}/{key} is not a zip archive.")
    artifact = job.action["outputArtifacts"][0]["name"]
    target = context.output_location(artifact, ".zip")
    with aws_errors():
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=content)
    version = found["VersionId"]
    summary = found.get("Metadata", {}).get(_SUMMARY) or f"Amazon S3 version id: {version}"
    job.report(external_id=version, summary=summary)
    return Outcome(
        summary=summary,
        variables={
            "BucketName": bucket,
            "ETag": found["ETag"].strip('"'),
            "ObjectKey": key,
            "VersionId": version,
        },
        artifacts={artifact: target},
        revision=Revision(version, summary, found["LastModified"].timestamp()),
    )
