// gpu_bench [--small]: what the engine does on a GPU, a line of JSON for each. Built and run by scripts/gpu/check.mjs.
// --small takes sizes at which a CPU is done at once, and computes on it where there is no GPU.
#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/loss/fused_linear_loss.h"
#include "core/model/adapter.h"
#include "core/ops/ops.h"
#include "core/session/training_step.h"

using namespace adaptive;
using at::Tensor;

namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;

bool hasGpu() { return at::detail::getCUDAHooks().deviceCount() > 0; }
at::Device device() { return hasGpu() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU); }
void settle() {
  if (hasGpu()) c10::cuda::device_synchronize();
}

/// Most bytes that tensors had since it was made.
class Peak {
 public:
  Peak() {
    if (!hasGpu()) return;
    c10::cuda::CUDACachingAllocator::emptyCache();
    c10::cuda::CUDACachingAllocator::resetPeakStats(0);
  }
  double gib() const {
    if (!hasGpu()) return 0;
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
    return static_cast<double>(stats.allocated_bytes[0].peak) / kGib;
  }
};

/// The median of five, in milliseconds, after two that are not counted.
template <class F>
double milliseconds(const F& f) {
  std::vector<double> all;
  for (int round = -2; round < 5; round++) {
    settle();
    const auto since = std::chrono::steady_clock::now();
    f();
    settle();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - since;
    if (round >= 0) all.push_back(took.count());
  }
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

struct Number {
  const char* unit;
  double value;
};
void say(const std::string& name, const std::vector<Number>& numbers) {
  std::printf("{\"name\":\"%s\"", name.c_str());
  for (const auto& [unit, value] : numbers) std::printf(",\"%s\":%.6g", unit, value);
  std::printf("}\n");
  std::fflush(stdout);
}

at::TensorOptions bfloat16() { return at::TensorOptions().dtype(at::kBFloat16).device(device()); }

/// FLOP a second of a large product.
double matrixRate(bool isSmall) {
  const int64_t side = isSmall ? 64 : 8192;
  const Tensor a = at::randn({side, side}, bfloat16()), b = at::randn({side, side}, bfloat16());
  const double ms = milliseconds([&] { at::mm(a, b); }), cube = std::pow(static_cast<double>(side), 3);
  say("bf16 product", {{"ms", ms}, {"tflops", 2 * cube / ms * 1e-9}});
  return 2 * cube / ms * 1e3;
}

void loss(bool isSmall, int64_t kept) {
  const int64_t tokens = isSmall ? 8 : 16384, vocab = isSmall ? 97 : 248320, width = isSmall ? 16 : 2048;
  Parameter head({{"head", {vocab, width}}}, false);
  head.moveTo(device(), false);
  at::Tensor(head.master()).normal_(0, 0.02);
  head.refreshCompute(at::kBFloat16);
  const Tensor hidden = at::randn({tokens, width}, bfloat16());
  const Tensor labels = (at::arange(tokens, hidden.options().dtype(at::kLong)) * 7919 % vocab).to(at::kInt);
  std::vector<float> weights(2 * tokens, 0.f);
  for (int64_t i = 0; i < tokens; i++) weights[2 * i] = 1.f / static_cast<float>(tokens);
  head.gradientToAddTo();
  const Peak peak;
  const double before = peak.gib();
  const double ms = milliseconds([&] {
    head.clearGradient();
    FusedLinearLoss fused(hidden, head.compute(), labels, LossGradients::Both, {.kept = kept});
    fused.backward(weights, [&](const ops::LogitGradient& dLogits, const Tensor& rows) {
      head.accumulateOuter(dLogits, rows);
    });
  });
  say(kept == 0 ? "loss, recomputed" : "loss, numerators kept", {{"ms", ms}, {"gib", peak.gib() - before}});
}

void statistics(bool isSmall) {
  const int64_t tokens = isSmall ? 4 : 4096, vocab = isSmall ? 97 : 248320;
  const Tensor logits = at::randn({tokens, vocab}, bfloat16().dtype(at::kFloat));
  const Tensor labels = at::zeros({tokens}, logits.options().dtype(at::kInt));
  const Tensor copy = at::empty_like(logits);
  const auto bytes = static_cast<double>(logits.nbytes());
  const double read = milliseconds([&] { ops::tokenStatistics(logits, labels); }),
               copied = milliseconds([&] { copy.copy_(logits); });
  say("token statistics", {{"ms", read},
                           {"gbs", bytes / read * 1e-6},
                           {"shareOfCopy", bytes / read / (2 * bytes / copied)}});
}

DecoderConfig llama(int64_t hidden, int64_t inner, int64_t layers, int64_t heads, int64_t kvHeads,
                    int64_t vocab) {
  DecoderConfig config;
  config.vocabSize = vocab, config.hiddenSize = hidden, config.intermediateSize = inner;
  config.heads = heads, config.kvHeads = kvHeads, config.headDim = hidden / heads;
  config.ropes = {{.theta = 500000, .dims = config.headDim}};
  const double scale = 1 / std::sqrt(static_cast<double>(config.headDim));
  config.layerConfigs.assign(layers, {.rope = 0, .window = 0, .attentionScale = scale});
  return config;
}

/// Weights of about the size of a trained model's, drawn where they are.
void fill(Decoder& decoder) {
  at::NoGradGuard noGrad;
  for (Parameter* parameter : decoder.parameters()) {
    at::Tensor master = parameter->master();
    if (parameter->isNorm()) {
      master.fill_(1);
    } else {
      master.normal_(0, 0.02);
    }
  }
  decoder.refreshCompute();
}

MicroBatch rowsOf(int64_t rows, int64_t length, int64_t vocab) {
  MicroBatch batch = {{{}, {0}}, {}, std::vector<LearningStyle>(rows, LearningStyle::Ideas)};
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t i = 0; i < length; i++) batch.tokens.ids.push_back((row * 31 + i * 7919) % vocab);
    batch.tokens.cuSeqlens.push_back((row + 1) * length);
  }
  batch.labels.assign(batch.tokens.ids.begin(), batch.tokens.ids.end());
  return batch;
}

/// A micro-batch and an optimizer's step, and how much of `rate` its products come to.
void trainStep(const std::string& name, ModelSession& session, const MicroBatch& batch, double rate,
               bool trainsBase) {
  const Peak peak;
  const double ms = milliseconds([&] {
    trainMicroBatch(session, batch, {.topK = 8, .bias = {}});
    stepOptimizer(session, 1e-5, 1);
  });
  const DecoderConfig& config = session.decoder.config();
  double weights = static_cast<double>(config.vocabSize * config.hiddenSize);
  session.decoder.forEachProjection(
      [&](const Projection& projection) { weights += static_cast<double>(projection.weight->master().numel()); });
  const auto tokens = static_cast<double>(batch.tokens.ids.size());
  const double length = tokens / static_cast<double>(batch.styles.size());
  // Forward, and as much again for the gradient of the inputs and for that of the weights; of attention half
  // of the scores, twice, as forward and backward have them.
  const double passes = trainsBase ? 3 : 2;
  const double work = passes * 2 * weights * tokens +
                      3 * 2 * tokens * length *
                          static_cast<double>(config.layers() * config.heads * config.headDim);
  say(name, {{"ms", ms},
             {"tokensPerSecond", tokens / ms * 1e3},
             {"shareOfProduct", work / (ms * 1e-3) / rate},
             {"gib", peak.gib()}});
}

void fullStep(bool isSmall, double rate) {
  DecoderConfig config = isSmall ? llama(32, 64, 2, 4, 2, 97) : llama(2048, 8192, 16, 32, 8, 128256);
  config.tiedHead = true;
  ModelSession session(config);
  session.decoder.moveTo(device());
  fill(session.decoder);
  configureSession(session, {.compute = at::kBFloat16});
  createOptimizer(session, "adamw", {.weightDecay = 0.01});
  trainStep("1 B, full step", session, rowsOf(4, isSmall ? 16 : 4096, config.vocabSize), rate, true);
}

/// With 24 GiB of the card at most.
void loraStep(bool isSmall, double rate) {
  const DecoderConfig config =
      isSmall ? llama(32, 64, 2, 4, 2, 97) : llama(4096, 14336, 32, 32, 8, 128256);
  if (hasGpu()) {
    size_t free = 0, total = 0;
    c10::cuda::CUDACachingAllocator::emptyCache();
    C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    const double share = std::min(1.0, 24 * kGib / static_cast<double>(total));
    c10::cuda::CUDACachingAllocator::setMemoryFraction(share, 0);
  }
  ModelSession session(config);
  AdapterOptions options;
  for (int64_t layer = 0; layer < config.layers(); layer++)
    for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
      options.targets.push_back(
          {c10::str("model.layers.", layer, ".", module), 16, 2, /*dropout=*/0, /*magnitude=*/false});
  addAdapter(session.decoder, options);
  // Before the weights are there, so that none is ever float32.
  configureSession(session, {.compute = at::kBFloat16, .gradientCheckpointing = true});
  session.decoder.moveTo(device());
  fill(session.decoder);
  createOptimizer(session, "adamw", {});
  trainStep("8 B, LoRA step in 24 GiB", session, rowsOf(1, isSmall ? 16 : 2048, config.vocabSize), rate,
            false);
}

/// Runs one of them; one that fails is a line too, and the others go on.
template <class F>
bool run(const char* name, const F& f) {
  try {
    f();
    return true;
  } catch (const std::exception& error) {
    std::string words = error.what();
    words = words.substr(0, words.find('\n'));
    std::replace_if(words.begin(), words.end(), [](char c) { return c == '"' || c == '\\'; }, '\'');
    std::printf("{\"name\":\"%s\",\"failed\":\"%s\"}\n", name, words.c_str());
    std::fflush(stdout);
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool isSmall = argc > 1 && std::string(argv[1]) == "--small";
  if (!isSmall && !hasGpu()) {
    std::printf("libtorch sees no GPU on this machine\n");
    return 1;
  }
  double rate = 1;
  bool ok = run("bf16 product", [&] { rate = matrixRate(isSmall); });
  ok = run("loss, numerators kept", [&] { loss(isSmall, -1); }) && ok;
  ok = run("loss, recomputed", [&] { loss(isSmall, 0); }) && ok;
  ok = run("token statistics", [&] { statistics(isSmall); }) && ok;
  ok = run("1 B, full step", [&] { fullStep(isSmall, rate); }) && ok;
  ok = run("8 B, LoRA step in 24 GiB", [&] { loraStep(isSmall, rate); }) && ok;
  return ok ? 0 : 1;
}
