#include "core/session/training_step.h"

#include <ATen/ATen.h>

#include "core/expect.h"
#include "core/optim/gradient_norm.h"
#include "core/session/find_non_finite.h"

namespace adaptive {
namespace {

void checkFinite(const LossReport& report, const TrainingPass& pass) {
  if (std::isfinite(report.loss)) return;
  const auto& nll = pass.statistics().nll;
  for (size_t i = 0; i < nll.size(); i++) {
    if (std::isfinite(nll[i])) continue;
    fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ": the logits of row ",
         pass.tokens().rows[i],
         " of the micro-batch are not finite. A lower learningRate or maxGradNorm usually helps.");
  }
  fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ".");
}

void scaleWeights(const ModelSession& session, std::vector<float>& weights) {
  const auto scale = static_cast<float>(lossScale(session));
  if (scale == 1) return;
  for (float& weight : weights) weight *= scale;
}

}  // namespace

TrainReport trainMicroBatch(ModelSession& session, const MicroBatch& batch, const LossRequest& loss) {
  checkLossRequest(loss);
  TrainingPass pass(session.decoder, batch, /*training=*/true, statisticsFor(loss), &session.base);
  std::vector<float> weights;
  const LossReport report = lossReport(pass.statistics(), pass.tokens(), loss, &weights);
  checkFinite(report, pass);
  scaleWeights(session, weights);
  return {report, pass.backward(weights, lossScale(session))};
}

PassReport forward(ModelSession& session, const MicroBatch& batch, const LossRequest& loss) {
  checkLossRequest(loss);
  session.pending.reset();
  TrainingPass pass(session.decoder, batch, /*training=*/true, statisticsFor(loss), &session.base);
  PassReport report;
  report.loss = lossReport(pass.statistics(), pass.tokens(), loss, &session.pendingWeights);
  checkFinite(report.loss, pass);
  report.tokens = pass.tokens(), report.statistics = pass.statistics();
  session.pending.emplace(std::move(pass));
  return report;
}

Retained backward(ModelSession& session, const std::optional<std::vector<float>>& onNll) {
  if (!session.pending) fail("INVALID_INPUT", "Expected forward() before backward().");
  std::vector<float> weights = session.pendingWeights;
  if (onNll) {
    const auto expected = static_cast<size_t>(session.pending->tokens().size());
    if (onNll->size() != expected) {
      fail("INVALID_INPUT", "Expected one weight per labelled token (", expected, "), found ", onNll->size(),
           ".");
    }
    weights.assign(2 * expected, 0.f);
    for (size_t i = 0; i < expected; i++) weights[2 * i] = (*onNll)[i];
  }
  scaleWeights(session, weights);
  const Retained retained = session.pending->backward(weights, lossScale(session));
  session.pending.reset();
  return retained;
}

Retained divergence(ModelSession& session, const FlatBatch& batch, const RetainedRows& rows) {
  at::NoGradGuard noGrad;
  checkFlatBatch(batch, session.decoder.config().vocabSize);
  const FlatBatch ids = retainedPart(batch, rows);
  if (ids.ids.size() != batch.ids.size())
    fail("INVALID_INPUT", "Expected ", batch.cuSeqlens.size() - 1, " retained rows, found ", rows.rows.size(),
         ".");
  const at::Tensor hidden = session.decoder.hiddenStates(batch);
  const LoraAdapter* adapter = session.decoder.headAdapter();
  const Divergence found = divergenceOf(session.decoder, session.base, ids, rows, hidden,
                                        adapter ? lowInput(hidden, *adapter) : at::Tensor(), 0);
  return {found.sum, found.tokens};
}

PassReport evaluate(ModelSession& session, const MicroBatch& batch, const LossRequest& loss,
                    int64_t firstChoices) {
  checkLossRequest(loss);
  MoreStatistics more = statisticsFor(loss);
  more.firstChoices = firstChoices;
  const TrainingPass pass(session.decoder, batch, /*training=*/false, more);
  return {lossReport(pass.statistics(), pass.tokens(), loss, nullptr), pass.tokens(), pass.statistics()};
}

GradientReport lossAndGradients(ModelSession& session, const FlatBatch& batch) {
  Decoder& decoder = session.decoder;
  checkFlatBatch(batch, decoder.config().vocabSize);
  const std::vector<int32_t> labels(batch.ids.begin(), batch.ids.end());
  const std::vector<LearningStyle> styles(batch.cuSeqlens.size() - 1, LearningStyle::Misc);
  clearGradients(session);
  TrainingPass pass(decoder, {batch, labels, styles}, /*training=*/true);
  if (pass.tokens().size() == 0) fail("INVALID_INPUT", "Expected a row of at least two tokens, found none.");
  std::vector<float> weights;
  GradientReport report;
  const LossReport loss =
      lossReport(pass.statistics(), pass.tokens(), {.kind = LossKind::CrossEntropy, .bias = {}}, &weights);
  checkFinite(loss, pass);
  report.loss = loss.loss;
  pass.backward(weights);
  for (Parameter* parameter : decoder.trainableParameters()) {
    parameter->gradientToAddTo();
    for (const auto& part : parameter->parts()) {
      const at::Tensor rows = parameter->gradientOf(part);
      if (!rows.defined()) continue;
      report.gradients.emplace_back(
          part.name, (part.transposed ? rows.transpose(-2, -1) : rows).clone(at::MemoryFormat::Contiguous));
    }
  }
  decoder.clearGradients();
  return report;
}

void createOptimizer(ModelSession& session, const std::string& name, const OptimizerOptions& options) {
  const auto parameters = session.decoder.trainableParameters();
  session.optimizer = makeOptimizer(name, parameters, options);
  session.decoder.clearGradients();
  for (Parameter* parameter : parameters) parameter->reserveGradient();
}

void clearGradients(ModelSession& session) {
  session.pending.reset();
  session.decoder.clearGradients();
}

double lossScale(const ModelSession& session) { return session.scaler ? session.scaler->scale() : 1; }

void setBaseWeights(ModelSession& session, const std::vector<WeightFile>& files) {
  if (!session.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() before setBaseWeights().");
  session.optimizer->setBase(std::make_unique<const BaseWeights>(session.decoder, files));
}

StepReport stepOptimizer(ModelSession& session, double learningRate, double maxNorm, double pull) {
  if (!session.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() before optimizerStep().");
  session.decoder.expectWeights();
  expectNotNegative("learningRate", learningRate);
  expectNotNegative("maxGradNorm", maxNorm);
  const double scale = lossScale(session);
  const double norm = gradientNorm(session.decoder.trainableParameters()) / scale;
  if (session.scaler && !session.scaler->update(norm)) {
    session.decoder.clearGradients();
    return {norm, /*skipped=*/true};
  }
  if (!std::isfinite(norm)) {
    const std::string where = nonFiniteGradient(session.decoder);
    session.decoder.clearGradients();
    fail("LOSS_NOT_FINITE", "Expected a finite gradient norm, found ", norm,
         where.empty() ? "" : ", first in the gradient of ", where, ". A lower learningRate usually helps.");
  }
  session.optimizer->step(learningRate, clippingScale(norm, maxNorm) / scale, pull);
  session.decoder.refreshCompute();
  session.decoder.clearGradients();
  return {norm};
}

}  // namespace adaptive
