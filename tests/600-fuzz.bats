#!/usr/bin/env bats
# Every parser of foreign bytes, fed random ones for a few seconds: see tests/fuzz. `make fuzz FUZZ_SECONDS=600` for longer.

load lib/all

@test "what reads foreign bytes survives random ones" {
	need clang make
	cd "$CNIBOX_TOP"
	run_log make -s fuzzers 3>&-
	run_log tests/fuzz/run "${FUZZ_SECONDS:-5}" 3>&-
}

@test "every harness has seeds, and each seed passes" {
	need clang make
	cd "$CNIBOX_TOP"
	make -s fuzzers 3>&-
	for harness in tests/fuzz/*.c; do
		name=$(basename "$harness" .c)
		assert "seeds for $name" compgen -G "tests/fuzz/corpus/$name/*"
		assert "$name with its seeds" deadline 60 "build-fuzz/fuzz/$name" tests/fuzz/corpus/"$name"/*
	done
}
