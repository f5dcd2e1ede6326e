# The same commands as on any machine: `make install-runtime`, then the programs out of .venv.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends git make openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 hotfixdash \
    && mkdir /data \
    && chown hotfixdash /data

WORKDIR /srv/hotfixdash
COPY Makefile ./
COPY requirements requirements
RUN make install-runtime
COPY . .

ENV DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=8000 \
    PYTHONUNBUFFERED=1
USER hotfixdash
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

# Everything in one container; docker-compose.yml starts the programs one by one instead.
CMD [".venv/bin/python", "manage.py", "serve"]
