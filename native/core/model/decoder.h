// The causal decoder: one implementation for every family, steered by DecoderConfig and a table of weight
// names.
#pragma once
#include <functional>
#include <memory>

#include "core/model/decoder_config.h"
#include "core/model/decoder_layer.h"
#include "core/model/dropout_key.h"
#include "core/model/flat_batch.h"
#include "core/model/kept_blocks.h"
#include "core/model/kv_cache.h"
#include "core/model/layers.h"
#include "core/model/parameter.h"
#include "core/model/placed_batch.h"
#include "core/model/table_adapter.h"

namespace adaptive {

struct AdapterBase;
struct AdapterOptions;
struct Initialisation;

class Decoder {
 public:
  /// Makes room for the weights; what they hold is not a model yet. Errors: checkDecoderConfig's.
  explicit Decoder(DecoderConfig config);

  const DecoderConfig& config() const { return config_; }
  /// Calls f(projection) for each of every block.
  template <class F>
  void forEachProjection(const F& f) const {
    for (const DecoderLayer& layer : layers_) layer.forEachProjection(f);
  }
  /// The weights that config.json describes.
  std::vector<Parameter*> parameters() const;
  /// Those that an adapter adds.
  std::vector<Parameter*> adapterParameters() const;
  std::vector<Parameter*> allParameters() const;
  /// Those that gather gradients: all, or with an adapter its own and the modules that are saved with it.
  std::vector<Parameter*> trainableParameters() const;
  /// The output projection [vocab, hidden]; the embedding itself when the head is tied.
  Parameter& head() { return head_ ? *head_ : *embedding_; }
  const Parameter& head() const { return head_ ? *head_ : *embedding_; }
  Parameter* headBias() { return headBias_.get(); }  ///< [vocab]; null without one
  /// What an adapter adds to the head.
  const LoraAdapter* headAdapter() const { return headAdapter_.low.get(); }
  /// Rows of the head that are trained on their own.
  const TokenRows* headRows() const { return (head_ ? headAdapter_ : embeddingAdapter_).rows.get(); }
  /// Whether the head or its bias is trained, whole or by rows. What an adapter adds to it is apart.
  bool trainsHead() { return head().trainable() || headRows() || (headBias_ && headBias_->trainable()); }
  /// Gathers the gradient of what trainsHead() tells of, for logits hidden·headᵀ + bias: dLogits [n, vocab],
  /// hidden [n, hidden].
  void addHeadGradient(const ops::LogitGradient& dLogits, const at::Tensor& hidden);

  /// Computes in `dtype` (float32 or bfloat16) from now on, from masters of type `masters`: float32, or the
  /// same as `dtype` to keep no second copy. Narrowing the masters rounds them to nearest. Frozen weights are
  /// kept in `dtype` alone. Errors: INVALID_INPUT for another pair of types.
  void setTypes(at::ScalarType dtype, at::ScalarType masters);
  /// Recasts the compute weights from the masters; call once after the masters changed. Before the first call
  /// they hold no model yet, and a change of their type moves no numbers.
  void refreshCompute();
  /// Errors: INVALID_INPUT before weights were loaded or drawn.
  void expectWeights() const;
  bool hasWeights() const { return filled_; }
  /// Draws new weights as transformers does: see initialise_weights.h.
  friend void initialiseWeights(Decoder& decoder, const Initialisation& options);
  /// Gives the vocabulary another size: see resize_vocabulary.h.
  friend void resizeVocabulary(Decoder& decoder, int64_t vocabSize, uint64_t seed);
  /// See adapter.h.
  friend void addAdapter(Decoder& decoder, const AdapterOptions& options);
  friend void mergeAdapter(Decoder& decoder);
  friend class TablesOfAdapter;
  friend std::vector<AdapterBase> adapterBase(const Decoder& decoder);
  friend std::vector<std::pair<std::string, at::Tensor>> plainWeights(const Decoder& decoder);
  /// Moves every weight to another device, where everything is computed from then on.
  void moveTo(at::Device device);
  at::Device device() const { return embedding_->compute().device(); }
  at::ScalarType computeType() const { return computeType_; }
  /// Whether backward recomputes blocks. Default: no.
  void setCheckpointing(bool on) { checkpointing_ = on; }
  /// Blocks that the last hiddenStates() with a graph kept the activations of.
  int64_t keptBlocks() const { return keptBlocks_; }
  /// α of NEFTune (Jain et al. 2023): with a key, hiddenStates() adds uniform noise of ±α/√(length·hidden) to
  /// the embeddings of each row. 0: none.
  void setEmbeddingNoise(double alpha) { embeddingNoise_ = alpha; }
  /// Freezes the weights of these names and no others, beside those that are frozen under an adapter. A
  /// frozen weight is kept in the type that is computed in alone, where that loses nothing. Errors:
  /// INVALID_INPUT for a name that no weight has, and where nothing is left to train.
  void freeze(const std::vector<std::string>& names);
  void clearGradients();
  /// The trained weights from the output down, each with the layer after whose backward its gradient is
  /// whole: config().layers() for the final norm and the head, −1 for embeddings.
  std::vector<std::pair<int64_t, Parameter*>> trainedFromOutput() const;
  /// The trained matrices whose masters nothing but the optimizer reads, where they are not computed with:
  /// all but those that are looked up in. With an adapter none, whose masters are small.
  std::vector<Parameter*> mastersApart() const;
  /// Calls `see(layer)` in backward whenever the gradients of all layers from `layer` on are whole; null: no
  /// more.
  void watchBackward(std::function<void(int64_t layer)> see) { seesBackward_ = std::move(see); }

  /// Brings a batch to the device, together with what the upload has already, and sends that. `key`: the
  /// randomness of dropout and noise; without it there is none. Errors: INVALID_INPUT for ids or a length
  /// that the model does not have.
  PlacedBatch placed(const FlatBatch& batch, const DropoutKey& key, Upload& upload) const;
  /// Final hidden states, normalised, [tokens, hidden] in the compute type. Records a graph when gradients
  /// are enabled, from the lowest weight that is trained upwards. `keep`: the blocks that are not recomputed
  /// with checkpointing.
  at::Tensor hiddenStates(const PlacedBatch& batch, const KeptBlocks& keep = {});
  /// The same of a batch that is brought to the device first. Errors: those of placed().
  at::Tensor hiddenStates(const FlatBatch& batch, const DropoutKey& key = {}, const KeptBlocks& keep = {});
  /// The same without a graph, showing `see` the output of each module under its name: the embedding, every
  /// block, the final norm. Ends early when `see` returns false.
  void visitOutputs(const FlatBatch& batch,
                    const std::function<bool(const std::string& module, const at::Tensor& output)>& see);
  /// Final hidden states of the model with its adapter off, without a graph. Errors: INVALID_INPUT for a
  /// decoder without an adapter, or with weights that are trained whole beside it: those of before are gone.
  at::Tensor hiddenStatesOfBase(const PlacedBatch& batch);
  at::Tensor hiddenStatesOfBase(const FlatBatch& batch);
  /// hiddenStates() of rows that continue cached sequences, one cache per row, without a graph.
  at::Tensor hiddenStates(const FlatBatch& batch, const std::vector<KvCache*>& caches);
  /// The logits of hidden states [n, hidden] in float32, without a graph: hidden·headᵀ, scaled and capped.
  at::Tensor logits(const at::Tensor& hidden);

  /// Leaves what an adapter changes out of the model while it lives; one within another does nothing.
  class AdapterOff {
   public:
    explicit AdapterOff(Decoder& decoder);
    ~AdapterOff();
    AdapterOff(const AdapterOff&) = delete;
    AdapterOff& operator=(const AdapterOff&) = delete;

   private:
    Decoder& decoder_;
    const bool isOuter_;
  };

 private:
  /// From the fused, not yet rotated projections to the heads' outputs.
  using Attend = std::function<at::Tensor(const at::Tensor& qkv)>;

  /// f(table, its adapter) for each table that the model has.
  template <class F>
  void forEachTable(const F& f) {
    f(*embedding_, embeddingAdapter_);
    if (positions_) f(*positions_, positionsAdapter_);
    if (head_) f(*head_, headAdapter_);
  }
  /// What the adapters' first values are made of, once there are weights.
  void beginAdapters();
  /// Gives every master the type that it should have.
  void placeMasters();
  PlacedBatch placed(const FlatBatch& batch, const std::vector<PositionRange>& rows, const DropoutKey& key,
                     Upload& upload) const;
  /// One per layer.
  std::vector<Attend> attendsWithin(const PlacedBatch& batch) const;
  at::Tensor embedded(const PlacedBatch& batch);
  /// Has watchBackward() told once the gradient with respect to `hidden`, the input of `layer`, is there.
  void watch(const at::Tensor& hidden, int64_t layer) const;
  /// The block in which backward ends: −1 where embeddings are trained, layers() where no block is.
  int64_t lowestTrained() const;
  AttentionShape attentionOf(int64_t layer) const;
  at::Tensor normed(const Norm& norm, const at::Tensor& x, at::ScalarType dtype) const;
  at::Tensor block(const DecoderLayer& layer, const at::Tensor& hidden, const Attend& attend,
                   const DropoutKey& key = {}) const;
  /// Queries, keys and values of x, normed where the family does that, not yet rotated.
  at::Tensor queriesKeysValues(const DecoderLayer& layer, const at::Tensor& x, const DropoutKey& key) const;
  /// Both take x normed, in the compute type.
  at::Tensor attention(const DecoderLayer& layer, const at::Tensor& x, const Attend& attend,
                       const DropoutKey& key) const;
  at::Tensor denseFeedForward(const DecoderLayer& layer, const at::Tensor& x, const DropoutKey& key) const;
  at::Tensor feedForward(const DecoderLayer& layer, const at::Tensor& x, const DropoutKey& key) const;

  DecoderConfig config_;
  std::unique_ptr<Parameter> embedding_, positions_, head_, headBias_;
  TableAdapter embeddingAdapter_, positionsAdapter_, headAdapter_;
  Decomposition decomposition_;
  uint64_t adapterSeed_ = 0;
  Norm finalNorm_;
  std::vector<DecoderLayer> layers_;
  at::ScalarType computeType_ = at::kFloat, masterType_ = at::kFloat;
  double embeddingNoise_ = 0;
  std::function<void(int64_t)> seesBackward_;
  bool checkpointing_ = false, filled_ = false, adapts_ = true;
  int64_t keptBlocks_ = 0;
};

}  // namespace adaptive
