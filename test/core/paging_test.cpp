// Which states of an optimizer stay on a device with memory of its own.
#include "core/optim/paging.h"

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

void checkPaged(const std::vector<int64_t>& bytes, int64_t room, int64_t buffers,
                const std::vector<bool>& expected, const std::string& what) {
  check(pagedStates(bytes, room, buffers) == expected, what);
}

}  // namespace

TEST("paging: the room for states is what gradients, the rest of a step and a spare leave") {
  check(roomForStates(1000 * kMiB, 100 * kMiB, {.restOfStep = 44 * kMiB}) == 600 * kMiB,
        "256 MiB are spared");
  check(roomForStates(16000 * kMiB, 0, {.restOfStep = 0}) == 15000 * kMiB, "of much, a sixteenth");
  check(roomForStates(756 * kMiB, 100 * kMiB, {}) == 300 * kMiB,
        "a quarter of the rest for what is not known");
  check(roomForStates(756 * kMiB, 0, {.restOfStep = 0, .atMost = 7}) == 7, "no more than is asked for");
  check(roomForStates(100 * kMiB, 0, {}) == 0 && roomForStates(kMiB, 5 * kMiB, {.atMost = 9}) == 0,
        "not below 0");
}

TEST("paging: all states stay where they fit, else the largest go that do not") {
  const int64_t large = 10 * kMiB, small = 1000;
  checkPaged({large, small, large}, 2 * large + small, kMiB, {false, false, false},
             "all fit without buffers");
  checkPaged({large, small, large}, 2 * large + small - 1, kMiB, {false, false, true}, "one of two");
  checkPaged({large, 3 * large, small, 2 * large}, 4 * large + small, 0, {false, false, false, true},
             "the largest that fit, then what still does");
  checkPaged({small, 2 * large, large}, large + kMiB, kMiB, {false, true, true}, "buffers take room");
  checkPaged({small, large}, small, 0, {false, true}, "small ones first");
  checkPaged({small, large}, 0, kMiB, {true, true}, "nothing");
  checkPaged({0, large}, 0, kMiB, {false, true}, "what takes nothing stays");
  checkPaged({}, 0, 0, {}, "nothing to place");
}

TEST("paging: what is asked for is looked at") {
  checkPaging({});
  checkFails("INVALID_INPUT", "paged.restOfStep", [] { checkPaging({.restOfStep = -1}); });
  checkFails("INVALID_INPUT", "paged.atMost", [] { checkPaging({.atMost = -1}); });
  for (const int64_t piece : {int64_t{0}, int64_t{2048}, int64_t{6000}, int64_t{1} << 41})
    checkFails("INVALID_INPUT", "power of two", [&] { checkPaging({.pieceValues = piece}); });
}
