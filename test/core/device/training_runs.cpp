#include "device/training_runs.h"

#include <filesystem>

#include "core/model/adapter.h"
#include "core/model/initialise_weights.h"
#include "core/model/quantize_weights.h"
#include "core/session/training_step.h"
#include "device/test_device.h"

namespace adaptive::test {
namespace {

/// Has the projections in fewer bits, from a file of the weights that `drawn` makes.
void loadQuantised(Decoder& decoder, const Kind& kind, const Initialisation& drawn) {
  Decoder whole(kind.config);
  initialiseWeights(whole, drawn);
  const Folder folder;
  const WeightFile file = written(folder.file("weights"), storedWeights(whole.parameters()));
  std::vector<QuantizedWeight> weights;
  decoder.forEachProjection([&](const Projection& projection) {
    for (const ParameterPart& part : projection.weight->parts()) weights.push_back({part.name, *kind.base});
  });
  quantizeWeights(decoder, weights);
  loadWeights(decoder, {file}, WeightScope::Model);
}

}  // namespace

const MicroBatch& someRows() {
  static const MicroBatch batch = {{{3, 4, 5, 6, 7, 8, 9, 3, 3}, {0, 4, 9}},
                                   {3, 4, 5, 6, 7, 8, 9, 3, 3},
                                   {LearningStyle::Ideas, LearningStyle::Attention}};
  return batch;
}

std::unique_ptr<ModelSession> opened(const Kind& kind, bool onDevice) {
  auto session = std::make_unique<ModelSession>(kind.config);
  if (onDevice) session->decoder.moveTo(testDevice());
  const Initialisation drawn = {.deviation = 0.3, .residualDeviation = 0.2, .seed = 5};
  if (kind.base) {
    loadQuantised(session->decoder, kind, drawn);
  } else {
    initialiseWeights(session->decoder, drawn);
  }
  if (kind.adapter) {
    AdapterOptions options;
    for (const char* name : {"q_proj", "v_proj"})
      options.targets.push_back({.module = std::string("model.layers.0.self_attn.") + name,
                                 .rank = 2,
                                 .scale = 2,
                                 .dropout = kind.dropout ? 0.3 : 0,
                                 .magnitude = kind.magnitude});
    addAdapter(session->decoder, options);
  }
  if (!kind.frozen.empty()) session->decoder.freeze(kind.frozen);
  configureSession(*session, kind.types);
  // The scale that a run begins with overflows in these models, on one device and not on the other.
  if (session->scaler) session->scaler = GradScaler({.scale = 256});
  OptimizerOptions options = {.weightDecay = 0.01};
  options.paging = kind.paging;
  createOptimizer(*session, kind.optimizer, options);
  return session;
}

Trained trained(const Kind& kind, bool onDevice) {
  Trained run = {opened(kind, onDevice), {}, {}};
  MicroBatch batch = someRows();
  if (kind.dropout) batch.dropout = uint64_t{77};
  for (int step = 0; step < 3; step++) {
    run.losses.push_back(trainMicroBatch(*run.session, batch, {.topK = 2, .bias = {}}).loss.loss);
    run.norms.push_back(stepOptimizer(*run.session, 1e-2, 1).gradNorm);
  }
  return run;
}

WeightFile written(const std::string& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  WeightFile file = {path, {}};
  std::vector<at::Tensor> all;
  int64_t at = 10;  // behind the length of the header and the header "{}"
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = static_cast<int64_t>(tensor.nbytes());
    file.tensors.push_back({name, storedType(tensor.scalar_type()), tensor.sizes().vec(), at, at + bytes});
    at += bytes;
    all.push_back(tensor);
  }
  writeSafetensors(path, "{}", all, std::nullopt);
  return file;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "adaptive-device-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}
Folder::~Folder() { std::filesystem::remove_all(path_); }

}  // namespace adaptive::test
