# rlhalt on a node with GPUs:
#   docker build -t rlhalt .
#   docker run --rm --gpus all --shm-size 16g --user "$(id -u):$(id -g)" -v "$PWD:/workspace" rlhalt list
# Never built by this project, which has no machine with Docker; tests/test_dockerfile.py checks what can be checked.

# `devel` has the compiler that DeepSpeed and vLLM use for their kernels. Choose a CUDA version that your driver supports.
ARG CUDA=nvidia/cuda:12.9.1-devel-ubuntu24.04
FROM ${CUDA}

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        bubblewrap ca-certificates git libnuma1 python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/venv

# The packages come before the code, so that a change of the code does not install them again. Without constraints.txt:
# it pins what was tested with the CPU build of torch, and vLLM asks for a torch of its own.
WORKDIR /opt/rlhalt
COPY pyproject.toml README.md LICENSE ./
COPY src/rlhalt/__init__.py src/rlhalt/__init__.py
COPY reward reward
COPY configs configs
RUN pip install -e ".[recipes,judge,languages,vllm,deepspeed]"
COPY src src
COPY scripts scripts

# Not root: rlhalt runs programs that a model wrote. HOME and caches are writable for every user that --user names.
ENV HOME=/tmp RLHALT_CACHE=/workspace/.rlhalt-cache
USER 1000:1000
WORKDIR /workspace
ENTRYPOINT ["rlhalt"]
CMD ["--help"]
