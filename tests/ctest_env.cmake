# Read by ctest itself. check ends a test after 4 s, or what its suite says: on
# a busy machine it may have five times as long.
if(NOT DEFINED ENV{CK_TIMEOUT_MULTIPLIER})
  set(ENV{CK_TIMEOUT_MULTIPLIER} 5)
endif()
# A race ends the program, so that its test fails.
if(NOT DEFINED ENV{TSAN_OPTIONS})
  set(ENV{TSAN_OPTIONS} halt_on_error=1)
endif()
