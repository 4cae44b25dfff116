# The Python 3.10 runtime of the platform: apps are built FROM it (aws/Dockerfile of an app).
# One text in five files but for the version of Python, its patch in BASE, and a line more where Python has
# given the version up; why each line is there: ../README.md.
# Python 3.10 is past its end of life (October 2026, PEP 619): move apps to a later one.
ARG BASE=public.ecr.aws/docker/library/python:3.10.21-slim-trixie
# checkov:skip=CKV_DOCKER_7: BASE names a version; another one is the platform engineer's choice
FROM ${BASE}

COPY requirements.lock /usr/local/share/sink_runtime/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
      --require-hashes --only-binary :all: --requirement /usr/local/share/sink_runtime/requirements.lock \
 && groupadd --gid 1000 app \
 && useradd --uid 1000 --gid app --create-home --shell /usr/sbin/nologin app \
 && useradd --uid 1000 --gid app --non-unique --no-create-home --home-dir /home/app \
      --shell /usr/sbin/nologin smartlabuser \
 && install --directory --owner=app --group=app /app /opt/venv \
 && ln -s /app /home/smartlabuser

COPY sink_runtime/ /usr/local/lib/sink_runtime/
COPY app-init container-init /usr/local/bin/
RUN /usr/local/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/sink_runtime

ENV RUNTIME_VERSION="3.10" \
    HOST="0.0.0.0" \
    PORT="8080" \
    PATH="/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" \
    PYTHONUNBUFFERED="1" \
    UV_LINK_MODE="copy"

WORKDIR /app
VOLUME ["/tmp"]
EXPOSE 8080
# By name, as apps' Dockerfiles write it too; the image itself says which id that is.
# hadolint ignore=DL3066
USER app
HEALTHCHECK --interval=30s --timeout=5s --start-period=300s --retries=3 CMD ["container-init", "health"]
CMD ["container-init"]
