# Two entries for a newcomer: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ONCE ?=

.PHONY: demo test check neural bench lock clean

demo: $(VENV)/run.stamp
	$(BIN)/nearside demo $(if $(ONCE),--once)

test: $(VENV)/dev.stamp
	$(BIN)/pytest

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Networks and embeddings of texts and pictures: PyTorch, in the build that the index has for this machine.
neural: $(VENV)/neural.stamp

bench: $(VENV)/dev.stamp
	$(BIN)/python -m loadtest.bench_page

bench-%: $(VENV)/dev.stamp
	$(BIN)/python -m loadtest.bench_$*

# What PyTorch brings along where it is built for a GPU; its own install decides.
GPU := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 \
	nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx nvidia-curand nvidia-nvtx-cu13 nvidia-cuda-nvcc

# Locks hold versions and hashes, no host names. Needs uv.
lock:
	uv lock
	uv export -q --extra edge --no-default-groups --no-emit-project --format requirements-txt --no-header --no-annotate -o requirements-edge.lock
	uv export -q --extra origin --extra geo --extra redis --no-dev --group build --no-emit-project --format requirements-txt --no-header --no-annotate -o requirements.lock
	uv export -q --all-extras --no-extra neural --no-extra text --no-extra images --all-groups --no-emit-project --format requirements-txt --no-header --no-annotate -o requirements-dev.lock

	uv export -q --extra text --extra images --no-dev --no-emit-project --format requirements-txt --no-header --no-annotate $(addprefix --no-emit-package ,$(GPU)) -o requirements-neural.lock

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nearside needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/neural.stamp: $(VENV)/dev.stamp requirements-neural.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-neural.lock
	touch $@

clean:
	rm -rf $(VENV) .demo
