# Included by the Makefile: the simulator (tests/sim/world.h).
#
#	make sim SEEDS=100000	so many histories, from seed FROM on
#	make sim-run SEED=7	one, every event as a line

.PHONY: sim sim-run

SEEDS ?= 2000
FROM  ?= 1

sim: deps
	@$(MAKE) --no-print-directory build
	@$(BUILD)/tests/sim/sim_run --seeds $(SEEDS) --from $(FROM) \
		--jobs $(JOBS)

sim-run: deps
	@$(MAKE) --no-print-directory build
	@$(BUILD)/tests/sim/sim_run --seed $(SEED) --trace
