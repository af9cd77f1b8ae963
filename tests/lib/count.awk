# SPDX-License-Identifier: Apache-2.0
# Prints "passed failed skipped" of a log: of node's test runner (spec or TAP), of cmocka programs, or of the guards.

/^(ℹ|#) pass [0-9]+$/    { passed += $3; seen = 1 }
/^(ℹ|#) (fail|cancelled) [0-9]+$/ { failed += $3 }
/^(ℹ|#) (skipped|todo) [0-9]+$/ { skipped += $3 }

/^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4; seen = 1 }
/^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4 }
/^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped += $4 }

/^ok [a-z]+$/       { passed += 1; seen = 1 }
/^not ok [a-z]+:/   { failed += 1 }
/^skip [a-z]+:/     { skipped += 1; seen = 1 }

END { if (seen || failed) print passed + 0, failed + 0, skipped + 0 }
