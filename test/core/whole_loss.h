// The whole of the fused loss on a device's operators, forward and backward, beside float64 on the same
// inputs.
#pragma once
#include <functional>

#include "check.h"
#include "core/loss/fused_linear_loss.h"
#include "core/loss/training_loss.h"

namespace adaptive::test {

struct LossProblem {
  at::Tensor hidden, weight;
  LabelledTokens tokens;
};
/// Of tensors on `device`, whose entries start anywhere, as those of a batch and of tied tables may.
LossProblem lossProblem(int64_t tokens, int64_t vocab, int64_t width, at::ScalarType type, double size = 1,
                        at::Device device = at::kCPU);

/// What makes weights out of statistics.
using Weighting = std::function<std::vector<float>(const TokenStatistics&)>;
/// Weights of any size and sign.
std::vector<float> anyWeights(const TokenStatistics& statistics);
Weighting weightingOf(const LossRequest& request, const LabelledTokens& tokens);

struct LossPlan {
  LossGradients wanted = LossGradients::Both;
  ChunkOptions chunks = {};
  LogitOptions logits = {};
  MoreStatistics more = {};
};

/// −log softmax and friends of float64 logits, with weights made of float64 statistics.
struct ExpectedLoss {
  TokenStatistics statistics;
  at::Tensor gradHidden, gradWeight, gradBias;
};
ExpectedLoss expectedLoss(const LossProblem& p, const Weighting& weighting, const LossPlan& plan);

/// FusedLinearLoss finds what is expected.
void checkLoss(const LossProblem& p, const Weighting& weighting, const LossPlan& plan,
               const ExpectedLoss& expected);

/// fusedDivergence() of heads of this type, on `device`, finds what float64 does. `begin`: called once that
/// is known.
void checkDivergence(
    at::ScalarType type, at::Device device, const std::function<void()>& begin = [] {});

/// One rounding of the type.
double roundingOf(at::ScalarType type);

}  // namespace adaptive::test
