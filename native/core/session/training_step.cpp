#include "core/session/training_step.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/expect.h"
#include "core/optim/gradient_norm.h"
#include "core/session/find_non_finite.h"
#include "core/session/sharded_session.h"

namespace adaptive {
namespace {

void forgetGradients(ModelSession& session) {
  session.decoder.clearGradients();
  if (session.sums) session.sums->reset();
}

int64_t bytesOfGradients(const ModelSession& session) {
  int64_t bytes = session.sums ? session.sums->mostOfOthers() : 0;
  for (const Parameter* parameter : session.decoder.trainableParameters())
    bytes += parameter->gradientBytes();
  return bytes;
}

/// Bytes of a window's gradients that have no memory yet.
int64_t gradientsToCome(const ModelSession& session) {
  const auto size = static_cast<int64_t>(sizeof(float));
  if (session.zero && session.zero->sharesGradients)
    return size * session.zero->shards.sizeOf(session.decoder, session.ranks->rank()).gradients;
  int64_t bytes = 0;
  for (const Parameter* parameter : session.decoder.trainableParameters())
    bytes += size * parameter->gradientSize() - parameter->gradientBytes();
  return bytes;
}

/// A pass that there may be none of: a rank may have no rows of a micro-batch.
using MaybePass = std::optional<TrainingPass>;

MaybePass passOver(ModelSession& session, const MicroBatch& batch, const LossRequest& loss) {
  if (session.ranks && batch.isEmpty()) return std::nullopt;
  const TracedPass traced(session.trace.get(), "forward");
  return TrainingPass(session.decoder, batch, /*training=*/true, statisticsFor(loss), &session.base);
}

const TokenStatistics& statisticsOf(const MaybePass& pass) {
  static const TokenStatistics none;
  return pass ? pass->statistics() : none;
}

const LabelledTokens& tokensOf(const MaybePass& pass) {
  static const LabelledTokens none;
  return pass ? pass->tokens() : none;
}

SumOverRanks overRanks(ModelSession& session) {
  if (!session.ranks) return {};
  return [&group = *session.ranks](std::vector<double>& numbers) { sumOverRanks(group, numbers); };
}

void checkFinite(const LossReport& report, const MaybePass& pass) {
  if (std::isfinite(report.loss)) return;
  const auto& nll = statisticsOf(pass).nll;
  for (size_t i = 0; i < nll.size(); i++) {
    if (std::isfinite(nll[i])) continue;
    fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ": the logits of row ",
         tokensOf(pass).rows[i],
         " of the micro-batch are not finite. A lower learningRate or maxGradNorm usually helps.");
  }
  fail("LOSS_NOT_FINITE", "Expected a finite loss, found ", report.loss, ".");
}

void scaleWeights(const ModelSession& session, std::vector<float>& weights) {
  const auto scale = static_cast<float>(lossScale(session));
  if (scale == 1) return;
  for (float& weight : weights) weight *= scale;
}

bool isNotFinite(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.code() == "LOSS_NOT_FINITE";
  } catch (...) {
    return false;
  }
}

bool sharesGradients(const ModelSession& session) { return session.zero && session.zero->sharesGradients; }

/// The norm of all gradients. With ranks each tells that of the gradients it owns, or rank 0 of all: what
/// follows from it must be the same to the last bit, and another number of threads sums in another order.
double normOfGradients(ModelSession& session) {
  const std::vector<Parameter*> all = session.decoder.trainableParameters();
  if (!session.ranks) return totalNorm(gradientNorms(all));
  std::vector<Parameter*> own;
  std::vector<size_t> places;
  for (size_t i = 0; i < all.size(); i++) {
    if ((session.zero ? session.zero->shards.ownerOf(all[i]) : 0) != session.ranks->rank()) continue;
    own.push_back(all[i]);
    places.push_back(i);
  }
  const std::vector<double> found = gradientNorms(own);
  std::vector<double> norms(all.size());
  for (size_t i = 0; i < places.size(); i++) norms[places[i]] = found[i];
  sumOverRanks(*session.ranks, norms);
  return totalNorm(norms);
}

/// nonFiniteGradient() of all ranks, of which one alone has a gradient where these are shared out.
std::string nonFiniteGradientOfAll(ModelSession& session) {
  std::string own = nonFiniteGradient(session.decoder);
  if (!sharesGradients(session)) return own;
  std::vector<std::string> names;
  const auto parameters = session.decoder.trainableParameters();
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter)
    for (const ParameterPart& part : (*parameter)->parts()) names.push_back(part.name);
  names.emplace_back();
  std::vector<double> places(static_cast<size_t>(session.ranks->size()));
  places[static_cast<size_t>(session.ranks->rank())] =
      static_cast<double>(std::find(names.begin(), names.end(), own) - names.begin());
  sumOverRanks(*session.ranks, places);
  return names[static_cast<size_t>(*std::min_element(places.begin(), places.end()))];
}

/// Tells the other ranks whether this one's backward went well, and adds what they found on their retained
/// rows. Errors: LOSS_NOT_FINITE or RANKS_FAILED for one of another rank.
Retained agreed(ModelSession& session, const Retained& own, const std::exception_ptr& failure) {
  const bool notFinite = failure && isNotFinite(failure);
  std::vector<double> numbers = {own.divergence, static_cast<double>(own.tokens), notFinite ? 1.0 : 0.0,
                                 failure && !notFinite ? 1.0 : 0.0};
  sumOverRanks(*session.ranks, numbers);
  if (numbers[3] > 0) fail("RANKS_FAILED", "Another rank failed in the backward pass.");
  if (numbers[2] > 0) fail("LOSS_NOT_FINITE", "Expected finite numbers, found others at another rank.");
  return {numbers[0], static_cast<int64_t>(numbers[1])};
}

Retained passBackward(ModelSession& session, TrainingPass& pass, const std::vector<float>& weights) {
  const TracedPass traced(session.trace.get(), "backward");
  if (session.trace) session.trace->beginBackward(session.decoder.config().layers());
  const Retained found = pass.backward(weights, lossScale(session));
  if (session.trace) session.trace->endBackward();
  return found;
}

/// Waits for the sums of all gradients.
void finishSums(ModelSession& session) {
  const TracedPass traced(session.trace.get(), "wait for sums");
  if (session.trace) session.trace->setWhole(true);
  session.sums->finish();
  if (session.trace) session.trace->setWhole(false);
}

Retained gathered(ModelSession& session, MaybePass& pass, const std::vector<float>& weights,
                  bool endsWindow) {
  if (!session.ranks) return passBackward(session, *pass, weights);
  if (session.sums->done()) {
    fail("INVALID_INPUT",
         "Expected optimizerStep() or clearGradients() after the last micro-batch of a window, found one "
         "more micro-batch: the gradients are summed over ranks already.");
  }
  const bool sums = endsWindow || sharesGradients(session);
  if (sums) session.sums->begin(endsWindow, sharesGradients(session));
  Retained found;
  std::exception_ptr failure;
  try {
    if (pass) found = passBackward(session, *pass, weights);
  } catch (...) {
    failure = std::current_exception();
  }
  try {
    // The others wait for this rank's gradients, whatever they are worth.
    if (sums) finishSums(session);
    found = agreed(session, found, failure);
  } catch (...) {
    // What ended the ranks, where this one's own failure did.
    if (!failure) throw;
  }
  if (failure) std::rethrow_exception(failure);
  return found;
}

}  // namespace

TrainReport trainMicroBatch(ModelSession& session, const MicroBatch& batch, const LossRequest& loss) {
  checkLossRequest(loss);
  MaybePass pass = passOver(session, batch, loss);
  std::vector<float> weights;
  const LossReport report =
      lossReport(statisticsOf(pass), tokensOf(pass), loss, &weights, overRanks(session));
  checkFinite(report, pass);
  scaleWeights(session, weights);
  return {report, gathered(session, pass, weights, batch.endsWindow)};
}

PassReport forward(ModelSession& session, const MicroBatch& batch, const LossRequest& loss) {
  checkLossRequest(loss);
  session.pending.reset();
  MaybePass pass = passOver(session, batch, loss);
  PassReport report;
  std::vector<float> weights;
  report.loss = lossReport(statisticsOf(pass), tokensOf(pass), loss, &weights, overRanks(session));
  checkFinite(report.loss, pass);
  report.tokens = tokensOf(pass), report.statistics = statisticsOf(pass);
  session.pending.emplace(std::move(pass), std::move(weights), batch.endsWindow);
  return report;
}

Retained backward(ModelSession& session, const std::optional<std::vector<float>>& onNll) {
  if (!session.pending) fail("INVALID_INPUT", "Expected forward() before backward().");
  auto& [pass, weights, endsWindow] = *session.pending;
  if (onNll) {
    const auto expected = static_cast<size_t>(tokensOf(pass).size());
    if (onNll->size() != expected) {
      fail("INVALID_INPUT", "Expected one weight per labelled token (", expected, "), found ", onNll->size(),
           ".");
    }
    weights.assign(2 * expected, 0.f);
    for (size_t i = 0; i < expected; i++) weights[2 * i] = (*onNll)[i];
  }
  scaleWeights(session, weights);
  const Retained retained = gathered(session, pass, weights, endsWindow);
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
                    const EvaluateOptions& options) {
  checkLossRequest(loss);
  if (options.acrossRanks && !session.ranks)
    fail("INVALID_INPUT", "Expected joinRanks() before an evaluation across ranks.");
  MoreStatistics more = statisticsFor(loss);
  more.firstChoices = options.firstChoices;
  MaybePass pass;
  if (!options.acrossRanks || !batch.isEmpty())
    pass.emplace(session.decoder, batch, /*training=*/false, more);
  const SumOverRanks sums = options.acrossRanks ? overRanks(session) : SumOverRanks();
  return {lossReport(statisticsOf(pass), tokensOf(pass), loss, nullptr, sums), tokensOf(pass),
          statisticsOf(pass)};
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
          part.name,
          (part.transposed ? rows.transpose(-2, -1) : rows).clone(at::MemoryFormat::Contiguous).cpu());
    }
  }
  decoder.clearGradients();
  return report;
}

void createOptimizer(ModelSession& session, const std::string& name, OptimizerOptions options,
                     int64_t zeroStage) {
  const auto parameters = session.decoder.trainableParameters();
  session.optimizer.reset();
  setZeroStage(session, zeroStage);
  const auto isOwn = [&session](const Parameter* parameter) {
    return !session.zero || session.zero->shards.ownerOf(parameter) == session.ranks->rank();
  };
  options.holds = isOwn;
  session.decoder.clearGradients();
  session.windowGradients = 0;
  if (options.paging) options.gradientBytes = gradientsToCome(session);
  session.optimizer = makeOptimizer(name, parameters, options);
}

void clearGradients(ModelSession& session) {
  session.pending.reset();
  forgetGradients(session);
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
  if (session.sums && !session.sums->done()) {
    session.sums->begin(/*endsWindow=*/true, sharesGradients(session));
    finishSums(session);
  }
  session.windowGradients = bytesOfGradients(session);
  const TracedPass traced(session.trace.get(), "optimizer");
  const double scale = lossScale(session);
  const double norm = normOfGradients(session) / scale;
  if (session.scaler && !session.scaler->update(norm)) {
    forgetGradients(session);
    return {norm, /*skipped=*/true};
  }
  if (!std::isfinite(norm)) {
    const std::string where = nonFiniteGradientOfAll(session);
    forgetGradients(session);
    fail("LOSS_NOT_FINITE", "Expected a finite gradient norm, found ", norm,
         where.empty() ? "" : ", first in the gradient of ", where, ". A lower learningRate usually helps.");
  }
  session.optimizer->step(learningRate, clippingScale(norm, maxNorm) / scale, pull);
  shareWeights(session);
  session.decoder.refreshCompute();
  forgetGradients(session);
  return {norm};
}

}  // namespace adaptive
