#include "core/model/placed_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace adaptive {
namespace {

std::vector<float> noiseSizes(const std::vector<PositionRange>& rows, const DecoderConfig& config,
                              double noise) {
  std::vector<float> sizes;
  for (const PositionRange& row : rows) {
    const double size = noise * config.embeddingNoiseScale /
                        std::sqrt(static_cast<double>(row.count) * static_cast<double>(config.hiddenSize));
    sizes.insert(sizes.end(), row.count, static_cast<float>(size));
  }
  return sizes;
}

std::vector<int64_t> learnedPositions(const std::vector<PositionRange>& rows, const DecoderConfig& config) {
  std::vector<int64_t> positions;
  if (config.maxPositions == 0) return positions;
  for (size_t r = 0; r < rows.size(); r++) {
    const int64_t end = rows[r].first + rows[r].count;
    if (end > config.maxPositions) {
      fail("INVALID_INPUT", "Expected rows of at most ", config.maxPositions,
           " tokens, the positions that this model has, found ", end, " in row ", r, ".");
    }
    for (int64_t position = rows[r].first; position < end; position++) positions.push_back(position);
  }
  return positions;
}

}  // namespace

PlacedBatch placedBatch(const FlatBatch& batch, const std::vector<PositionRange>& rows,
                        const DecoderConfig& config, double noise, const DropoutKey& key, Upload& upload) {
  PlacedBatch placed;
  placed.key = key;
  upload.add(batch.ids, placed.ids);
  const std::vector<int32_t> cuSeqlens(batch.cuSeqlens.begin(), batch.cuSeqlens.end());
  upload.add(cuSeqlens, placed.rows.cuSeqlens);
  placed.rows.longest = 0;
  for (const PositionRange& row : rows) placed.rows.longest = std::max(placed.rows.longest, row.count);
  const bool isNoisy = key && noise > 0;
  const std::vector<float> sizes = isNoisy ? noiseSizes(rows, config, noise) : std::vector<float>();
  if (isNoisy) upload.add(sizes, placed.noise);
  const std::vector<int64_t> learned = learnedPositions(rows, config);
  if (config.maxPositions > 0) upload.add(learned, placed.positions);
  Positions positions(config.ropes, rows);
  positions.addTo(upload);
  upload.send();
  at::NoGradGuard noGrad;
  placed.rotations = positions.rotations();
  return placed;
}

}  // namespace adaptive
