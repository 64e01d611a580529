// Where a number stopped being finite, found out after the fact by a second, instrumented forward.
#pragma once
#include "core/session/training_pass.h"

namespace adaptive {

struct NonFinite {
  std::string module;         ///< the first module whose output is not finite; empty when all are
  std::vector<int32_t> rows;  ///< the rows of the micro-batch in which its output is not
};

/// Runs the micro-batch again without a graph and looks at the output of every module, the head last.
NonFinite findNonFinite(Decoder& decoder, const MicroBatch& batch);

/// The weight nearest to the output whose gathered gradient is not finite: backward reached it first. Empty
/// when all are finite.
std::string nonFiniteGradient(const Decoder& decoder);

}  // namespace adaptive
