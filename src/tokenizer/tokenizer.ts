import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Tokenizer as Encoder } from '@huggingface/tokenizers';
import { errorText } from '../common/error-text.js';
import { AdaptiveTrainerError } from '../errors.js';
import { hubSettings, type HubSettings } from '../common/hub-settings.js';
import { replaceFiles, type FileWriter } from '../common/replace-files.js';
import { ioError } from '../common/write-durably.js';
import type { ChatMessage } from '../events/chat-message.js';
import { ChatTemplate, type ChatVariables, type RenderedChat } from './template/chat-template.js';
import { templateSource } from './template/template-source.js';
import { leanEncoder } from './encode/lean-encoder.js';
import { LeastTokens } from './encode/least-tokens.js';
import { specialTokens } from './special-tokens.js';
import { ownTokenizerFiles } from '../hub/models/tokenizer-file-names.js';
import { TokenAlphabet } from './encode/token-alphabet.js';
import { tokenizerFolder } from './tokenizer-folder.js';
import { readTokenizerFiles, readTokenizerJson, type TokenizerFiles } from './tokenizer-files.js';
import { withPadToken } from './with-pad-token.js';
import { withPaddingSide } from './with-padding-side.js';

/** See `Tokenizer.recipe`. */
export interface TokenizerRecipe {
  dir: string;
  /** Null: the one of the folder. */
  chatTemplate: string | null;
  /** The padding token that `ensurePadToken` chose; null: that of the files, if any. */
  ownPad: OwnPad | null;
}

interface OwnPad {
  token: string;
  id: number;
  /** Whether it is not in the vocabulary of the files. */
  isAdded: boolean;
}

/**
 * A Hugging Face tokenizer: text to token ids and back, and chats to text, with the results of transformers.
 *
 * @example
 * const tokenizer = await Tokenizer.fromPretrained('./models/Qwen3-0.6B');
 * const text = tokenizer.renderChat([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: true });
 * const ids = tokenizer.encode(text);
 */
export class Tokenizer {
  /** @internal What each token id stands for in the text, in bytes; used to find which tokens cover an answer. */
  alphabet: TokenAlphabet;
  private readonly special: Record<string, string>;
  private template: ChatTemplate | undefined;
  private templateChanged = false;
  private ownPad: OwnPad | null = null;
  private side: 'left' | 'right';
  private readonly least: LeastTokens;

  private constructor(
    /** The folder it was read from. */
    readonly dir: string,
    private encoder: Encoder,
    /** Of tokenizer.json. */
    parts: Record<string, unknown>,
    private readonly files: TokenizerFiles,
  ) {
    this.special = specialTokens(files, (token) => encoder.token_to_id(token) !== undefined);
    this.alphabet = new TokenAlphabet(encoder, parts);
    this.least = new LeastTokens(parts, files.config);
    this.side = files.config['padding_side'] === 'left' ? 'left' : 'right';
    const found = files.chatTemplate;
    if (found !== undefined) this.template = new ChatTemplate(found.source, found.origin, this.special);
  }

  /**
   * Opens the tokenizer in a folder with a model's files: tokenizer.json, tokenizer_config.json and, where there is
   * one, the chat template; or the one of a model on the Hub, of which only these files are downloaded.
   *
   * @throws AdaptiveTrainerError `TOKENIZER_INVALID` when a file is missing, malformed or of a kind not supported;
   * `HUB_FAILED`
   */
  static async fromPretrained(
    dirOrHubId: string,
    { revision, hub }: { revision?: string; hub?: Partial<HubSettings> } = {},
  ): Promise<Tokenizer> {
    return Tokenizer.open(
      await tokenizerFolder(dirOrHubId, { revision, settings: hubSettings(process.env, hub) }),
      null,
    );
  }

  private static async open(path: string, ownPad: OwnPad | null): Promise<Tokenizer> {
    const json = withPadToken.inTokenizer(readTokenizerJson(path), ownPad);
    const files = await readTokenizerFiles(path);
    try {
      const tokenizer = new Tokenizer(path, leanEncoder(json, files.config), json, files);
      if (ownPad !== null) tokenizer.setPad(ownPad);
      return tokenizer;
    } catch (cause) {
      throw new AdaptiveTrainerError(
        'TOKENIZER_INVALID',
        `Expected a tokenizer that @huggingface/tokenizers can run in ${join(path, 'tokenizer.json')} but it was refused: ` +
          `${cause instanceof Error ? cause.message : String(cause)}. If the file is damaged, download it again; otherwise ` +
          `this tokenizer is not supported.`,
        { details: { path: join(path, 'tokenizer.json') }, cause },
      );
    }
  }

  /** Token ids of a text. `addSpecialTokens` (default false) adds what the tokenizer puts around a text, such as `<s>`. */
  encode(text: string, { addSpecialTokens = false }: { addSpecialTokens?: boolean } = {}): number[] {
    const { ids } = this.run(() => this.encoder.encode(text, { add_special_tokens: addSpecialTokens }));
    const unknown = ids.findIndex((id: number) => !Number.isSafeInteger(id));
    if (unknown < 0) return ids;
    throw new AdaptiveTrainerError(
      'TOKENIZER_INVALID',
      `Expected every piece of the text to be in the vocabulary of ${this.dir} but piece ${unknown} is not, and the ` +
        `tokenizer has no unknown token. The files belong to different tokenizers; download them again.`,
      { details: { path: this.dir, position: unknown } },
    );
  }

  /** @internal How many tokens `encode` makes of a text at least; far quicker to tell. */
  leastTokens(text: string): number {
    return this.least.of(text);
  }

  /** Text of token ids. `skipSpecialTokens` (default true) leaves `<s>`, `<|im_end|>` and the like out. */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = true }: { skipSpecialTokens?: boolean } = {}): string {
    if (ids.length === 0) return '';
    return this.run(() =>
      this.encoder.decode(Array.from(ids), {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: false, // it deletes spaces before punctuation, so text would not come back
      }),
    );
  }

  /** What the library throws at parts of tokenizer.json that it did not look at when it read them. */
  private run<T>(use: () => T): T {
    try {
      return use();
    } catch (cause) {
      const path = join(this.dir, 'tokenizer.json');
      throw new AdaptiveTrainerError(
        'TOKENIZER_INVALID',
        `Expected a tokenizer that @huggingface/tokenizers can run in ${path} but it failed on a text: ${errorText(cause)}. ` +
          `If the file was edited or is damaged, download it again.`,
        { details: { path }, cause },
      );
    }
  }

  /**
   * The text of a chat by the model's chat template. `addGenerationPrompt` (default false) ends it with the header of
   * an assistant turn; `tools` and `variables` are what `apply_chat_template` of transformers takes beside.
   *
   * @throws AdaptiveTrainerError `CHAT_TEMPLATE_FAILED` when there is no template or it refuses the messages
   */
  renderChat(messages: readonly ChatMessage[], given: ChatVariables = {}): string {
    return this.renderChatParts(messages, given).text;
  }

  /** @internal `renderChat`, with what of the text comes from which message. */
  renderChatParts(messages: readonly ChatMessage[], given: ChatVariables = {}): RenderedChat {
    if (this.template === undefined) {
      throw new AdaptiveTrainerError(
        'CHAT_TEMPLATE_FAILED',
        `Expected a chat template in ${this.dir} (chat_template.jinja, chat_template.json or "chat_template" in ` +
          `tokenizer_config.json) but found none, so a chat cannot be turned into text. Base models often have none: ` +
          `use the instruct model's tokenizer, set chatTemplate (llama, phi, qwen, smollm, chatml or Jinja text), or ` +
          `tokenizer.chatTemplate.`,
        { details: { path: this.dir } },
      );
    }
    return this.template.render(messages, given);
  }

  /** The Jinja text of the chat template; null where the tokenizer has none. */
  get chatTemplate(): string | null {
    return this.template?.source ?? null;
  }

  /** Replaces the chat template, by Jinja text or the path of a file; `savePretrained` writes it as chat_template.jinja. */
  set chatTemplate(textOrPath: string) {
    const source = templateSource(textOrPath);
    this.template = new ChatTemplate(source, 'tokenizer.chatTemplate', this.special);
    this.templateChanged = true;
  }

  /** `model_type` of the model's config.json, where there is one. */
  get modelType(): string | undefined {
    return this.files.modelType;
  }

  /** One more than the highest token id, added tokens included: the rows an embedding needs. */
  get vocabSize(): number {
    return this.alphabet.size;
  }

  /** Id of the token that ends a text or a turn; null where the tokenizer names none. */
  get eosTokenId(): number | null {
    return this.idOf('eos_token');
  }

  /** Text of the token that ends a text or a turn; undefined where the tokenizer names none. */
  get eosToken(): string | undefined {
    return this.special['eos_token'];
  }

  /** Texts of the special tokens of the vocabulary (`<s>`, `<|im_end|>`), the named ones included. */
  get specialTokenTexts(): ReadonlySet<string> {
    const added = [...this.encoder.get_added_tokens_decoder().values()];
    const special = added.filter((token) => token.special).map((token) => token.content);
    return new Set(
      [...special, ...Object.values(this.special)].filter((token) => this.tokenToId(token) !== undefined),
    );
  }

  get bosTokenId(): number | null {
    return this.idOf('bos_token');
  }

  /** Id of the padding token; null where the tokenizer names none. Nothing here pads, and nothing is masked by id. */
  get padTokenId(): number | null {
    return this.idOf('pad_token');
  }

  /**
   * Sees to it that there is a padding token, as the Python package does: an unknown token serves as one; else
   * `<|pad|>` becomes it, and is added to the vocabulary where it is not in it. `savePretrained` then writes it.
   *
   * @returns its id, and whether it was added: then `vocabSize` has grown by one, and the model's embeddings must too
   */
  ensurePadToken(): { id: number; isAdded: boolean } {
    const present = this.padTokenId;
    if (present !== null) return { id: present, isAdded: false };
    const unknown = this.special['unk_token'];
    const token = unknown !== undefined && this.idOf('unk_token') !== null ? unknown : '<|pad|>';
    const known = this.encoder.token_to_id(token);
    const pad = { token, id: known ?? this.vocabSize, isAdded: known === undefined };
    this.setPad(pad);
    if (pad.isAdded) {
      const json = withPadToken.inTokenizer(readTokenizerJson(this.dir), pad);
      this.encoder = leanEncoder(json, this.files.config);
      this.alphabet = new TokenAlphabet(this.encoder, json);
    }
    return { id: pad.id, isAdded: pad.isAdded };
  }

  private setPad(pad: OwnPad): void {
    this.ownPad = pad;
    this.special['pad_token'] = pad.token;
  }

  /** @internal What makes the same tokenizer again, in another thread too: `Tokenizer.again(tokenizer.recipe)`. */
  get recipe(): TokenizerRecipe {
    const chatTemplate = this.templateChanged ? this.chatTemplate : null;
    return { dir: this.dir, chatTemplate, ownPad: this.ownPad };
  }

  /** @internal A tokenizer made from the recipe of another one. @throws AdaptiveTrainerError see `fromPretrained` */
  static async again({ dir, chatTemplate, ownPad }: TokenizerRecipe): Promise<Tokenizer> {
    const tokenizer = await Tokenizer.open(dir, ownPad);
    if (chatTemplate !== null) tokenizer.chatTemplate = chatTemplate;
    return tokenizer;
  }

  /** The side recorded in tokenizer_config.json, `right` where it says nothing. It changes no number of a training. */
  get paddingSide(): 'left' | 'right' {
    return this.side;
  }

  set paddingSide(side: 'left' | 'right') {
    if (side !== 'left' && side !== 'right') {
      throw new AdaptiveTrainerError(
        'INVALID_INPUT',
        `Expected paddingSide "left" or "right" but received ${side}.`,
      );
    }
    this.side = side;
  }

  /** Id of a token given by its text in the vocabulary; undefined where it is not in it. */
  tokenToId(token: string): number | undefined {
    return this.encoder.token_to_id(token);
  }

  /**
   * Writes the tokenizer into a folder (made if needed) so that transformers opens it: its files as they are, but for
   * a changed `paddingSide`, `chatTemplate` or padding token. Saving into its own folder is allowed.
   *
   * @param options.paddingSide to write in place of this tokenizer's own, which stays as it is
   * @throws AdaptiveTrainerError `IO_FAILED` when a file cannot be read or written
   */
  async savePretrained(dir: string, options: { paddingSide?: 'left' | 'right' } = {}): Promise<void> {
    const target = resolve(dir);
    const files = new Map<string, FileWriter>();
    if (target !== this.dir) {
      const names = await readdir(this.dir).catch((cause: unknown) => {
        throw ioError(this.dir, cause);
      });
      const present = new Set(names);
      for (const name of ownTokenizerFiles)
        if (present.has(name)) files.set(name, (path) => copyFile(join(this.dir, name), path));
    }
    const text = (name: string, content: string) => files.set(name, (path) => writeFile(path, content));
    text('tokenizer_config.json', this.configText(options.paddingSide ?? this.side));
    if (this.ownPad !== null) this.addPadToken(text, this.ownPad);
    if (this.templateChanged && this.template !== undefined)
      text('chat_template.jinja', this.template.source);
    // Files of a tokenizer that was saved there before would be read with those of this one.
    await replaceFiles(target, files, target === this.dir ? [] : ownTokenizerFiles);
  }

  private configText(side: 'left' | 'right'): string {
    const { config, configText } = this.files;
    const recorded = config['padding_side'] ?? 'right';
    const text = side === recorded ? configText : withPaddingSide(configText, side);
    return this.ownPad === null ? text : withPadToken.inConfig(text, this.ownPad);
  }

  /** The files beside tokenizer_config.json that name the padding token. */
  private addPadToken(text: (name: string, content: string) => void, pad: OwnPad): void {
    const { specialTokensMap } = this.files;
    if (pad.isAdded)
      text('tokenizer.json', JSON.stringify(withPadToken.inTokenizer(readTokenizerJson(this.dir), pad)));
    if (Object.keys(specialTokensMap).length === 0) return;
    const map = { ...specialTokensMap, pad_token: pad.token };
    text('special_tokens_map.json', `${JSON.stringify(map, null, 2)}\n`);
  }

  private idOf(name: string): number | null {
    const token = this.special[name];
    return token === undefined ? null : (this.encoder.token_to_id(token) ?? null);
  }
}
