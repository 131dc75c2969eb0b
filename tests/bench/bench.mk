# Included by the Makefile: the bench. See tests/bench/README.md.
#
#	make bench          12 minutes: figures, table and plots in docs/bench/
#	make bench-quick    2 minutes, into $(BUILD)/bench/
#	make chat-bench     5 minutes: the chat under load, into docs/bench/chat.md
# Parameters: ROUNDS, SECS, CONN_SECS, CONTESTANTS, WORKLOADS (see bench.sh)

.PHONY: bench bench-quick chat-bench deps-bench

deps-bench: deps
	@tests/bench/deps.sh

bench: deps
	@$(MAKE) --no-print-directory build
	@L4LB_BUILD=$(abspath $(BUILD)) tests/bench/bench.sh docs/bench

bench-quick: deps
	@$(MAKE) --no-print-directory build
	@L4LB_BUILD=$(abspath $(BUILD)) ROUNDS=$(or $(ROUNDS),1) \
		SECS=$(or $(SECS),1) CONN_SECS=$(or $(CONN_SECS),2) \
		CONTESTANTS="$(or $(CONTESTANTS),none l4lb haproxy nginx nftables)" \
		OVERLOAD_RATES="$(or $(OVERLOAD_RATES),50 150 300 600)" \
		tests/bench/bench.sh $(BUILD)/bench

chat-bench: deps
	@$(MAKE) --no-print-directory build
	@L4LB_BUILD=$(abspath $(BUILD)) tests/bench/chat.sh docs/bench/chat.md
