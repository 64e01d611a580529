// The causal decoder: one implementation for every family, steered by DecoderConfig and a table of weight
// names.
#pragma once
#include <functional>
#include <memory>

#include "core/model/decoder_config.h"
#include "core/model/flat_batch.h"
#include "core/model/kv_cache.h"
#include "core/model/layers.h"
#include "core/model/parameter.h"
#include "core/model/weight_names.h"

namespace adaptive {

class Decoder {
 public:
  explicit Decoder(DecoderConfig config);

  const DecoderConfig& config() const { return config_; }
  std::vector<Parameter*> parameters() const;
  /// The output projection [vocab, hidden]; the embedding itself when the head is tied.
  Parameter& head() { return head_ ? *head_ : *embedding_; }

  /// Computes in `dtype` (float32 or bfloat16) from now on, from masters of type `masters`: float32, or the
  /// same as `dtype` to keep no second copy. Narrowing the masters rounds them to nearest.
  void setTypes(at::ScalarType dtype, at::ScalarType masters);
  void setComputeType(at::ScalarType dtype) { setTypes(dtype, at::kFloat); }
  at::ScalarType computeType() const { return computeType_; }
  at::ScalarType masterType() const { return masterType_; }
  /// Recasts the compute weights from the masters; call once after the masters changed.
  void refreshCompute();
  void setCheckpointing(bool on) { checkpointing_ = on; }
  void clearGradients();
  void dropGradients();

  /// Final hidden states, normalised, [tokens, hidden] in the compute type. Records a graph when gradients
  /// are enabled.
  at::Tensor hiddenStates(const FlatBatch& batch);
  /// The same without a graph, showing `see` the output of each module under its name: the embedding, every
  /// block, the final norm. Ends early when `see` returns false.
  void visitOutputs(const FlatBatch& batch,
                    const std::function<bool(const std::string& module, const at::Tensor& output)>& see);
  /// The same for ids that continue a cached sequence, without a graph.
  at::Tensor hiddenStates(const std::vector<int64_t>& ids, KvCache& cache);
  /// hidden·headᵀ in float32, without a graph.
  at::Tensor logits(const at::Tensor& hidden);

 private:
  struct Layer {
    std::unique_ptr<Parameter> inputNorm, qkv, qkvBias, output, outputBias, postAttentionNorm, gateUp,
        gateUpBias, down, downBias;
  };
  /// From the fused, not yet rotated projections to the heads' outputs.
  using Attend = std::function<at::Tensor(const at::Tensor& qkv)>;

  Attend attendWithin(const FlatBatch& batch) const;
  Layer makeLayer(const WeightNames& names, int64_t index) const;
  at::Tensor block(const Layer& layer, const at::Tensor& hidden, const Attend& attend) const;
  at::Tensor finish(const at::Tensor& hidden) const;

  DecoderConfig config_;
  AttentionShape attention_;
  std::vector<float> ropeFrequencies_;
  std::unique_ptr<Parameter> embedding_, finalNorm_, head_;
  std::vector<Layer> layers_;
  at::ScalarType computeType_ = at::kFloat, masterType_ = at::kFloat;
  bool checkpointing_ = false;
};

}  // namespace adaptive
