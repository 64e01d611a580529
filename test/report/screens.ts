import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Page } from 'playwright-core';

/** Colours of a picture in a grid of cells, each the mean of what it covers: 0 to 255, red, green and blue by turns. */
type Cells = number[];

const columns = 40;
const rows = 50;
// Letters have other shapes and widths where other fonts are installed; blocks, tints and charts stay where they are.
/** Greatest mean difference over all cells, and greatest share of cells that differ by more than `strongly`. */
const tolerance = { mean: 7, strongly: 40, share: 0.06 };

/** How a picture differs from another. */
export interface Difference {
  mean: number;
  share: number;
}

export const isAlike = ({ mean, share }: Difference): boolean =>
  mean <= tolerance.mean && share <= tolerance.share;

/**
 * Compares what is seen of a page with a picture that was kept; keeps it where there is none, or where UPDATE_SCREENS=1 asks.
 * The kept picture is small: it has a pixel for each cell.
 */
export async function compareScreen(page: Page, file: string): Promise<Difference> {
  const now = await cellsOf(page, await page.screenshot({ animations: 'disabled' }));
  if (!existsSync(file) || process.env['UPDATE_SCREENS'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await pictureOf(page, now));
  }
  return difference(now, await cellsOf(page, readFileSync(file)));
}

export function difference(a: Cells, b: Cells): Difference {
  const cells = columns * rows;
  let sum = 0;
  let strong = 0;
  for (let cell = 0; cell < cells; cell++) {
    const apart = [0, 1, 2].map((channel) => Math.abs(a[3 * cell + channel]! - b[3 * cell + channel]!));
    sum += (apart[0]! + apart[1]! + apart[2]!) / 3;
    if (Math.max(...apart) > tolerance.strongly) strong++;
  }
  return { mean: sum / cells, share: strong / cells };
}

/** The browser reads the picture, so that no decoder is needed. */
export async function cellsOf(page: Page, png: Buffer): Promise<Cells> {
  const blank = await page.context().newPage();
  try {
    return await blank.evaluate(
      async ({ data, columns: width, rows: height }) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext('2d')!;
        context.drawImage(image, 0, 0);
        const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
        const cells: number[] = [];
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const [x0, x1] = [column, column + 1].map((at) => Math.floor((at * image.width) / width)) as [
              number,
              number,
            ];
            const [y0, y1] = [row, row + 1].map((at) => Math.floor((at * image.height) / height)) as [
              number,
              number,
            ];
            const sums = [0, 0, 0];
            for (let y = y0; y < y1; y++)
              for (let x = x0; x < x1; x++)
                for (let channel = 0; channel < 3; channel++)
                  sums[channel]! += pixels[4 * (y * image.width + x) + channel]!;
            cells.push(...sums.map((sum) => Math.round(sum / ((x1 - x0) * (y1 - y0)))));
          }
        }
        return cells;
      },
      { data: png.toString('base64'), columns, rows },
    );
  } finally {
    await blank.close();
  }
}

async function pictureOf(page: Page, cells: Cells): Promise<Buffer> {
  const blank = await page.context().newPage();
  try {
    const url = await blank.evaluate(
      ({ cells: values, columns: width, rows: height }) => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [width, height];
        const context = canvas.getContext('2d')!;
        const image = context.createImageData(width, height);
        for (let cell = 0; cell < width * height; cell++)
          image.data.set([...values.slice(3 * cell, 3 * cell + 3), 255], 4 * cell);
        context.putImageData(image, 0, 0);
        return canvas.toDataURL('image/png');
      },
      { cells, columns, rows },
    );
    return Buffer.from(url.split(',')[1]!, 'base64');
  } finally {
    await blank.close();
  }
}
