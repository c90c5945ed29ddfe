// What a CRM written in TypeScript does with the types: asks the PBX, and takes its commands.
import type { paths, webhooks } from "./vpbx-crm-api";

type History = paths["/crmapi/v1/history/json"]["get"];
type Query = NonNullable<History["parameters"]["query"]>;
type Row = History["responses"][200]["content"]["application/json"][number];
type Call = paths["/crmapi/v1/makecall"]["post"];
type Order = NonNullable<Call["requestBody"]>["content"]["application/json"];
type Made = Call["responses"][200]["content"]["application/json"];

/** A command of the PBX, told apart by `cmd`. */
export type Command = {
  [Name in keyof webhooks]: webhooks[Name] extends {
    post: { requestBody: { content: { "application/json": infer Body } } };
  }
    ? Body
    : never;
}[keyof webhooks];

export class Pbx {
  constructor(
    private readonly base: string,
    private readonly key: string,
  ) {}

  async missedToday(): Promise<string[]> {
    const query = new URLSearchParams({ period: "today", type: "missed" } satisfies Query);
    const rows = await this.ask<Row[]>("GET", `/history/json?${query}`);
    return rows.map((row) => `${row.client} at ${row.start}, waited ${row.wait.toFixed()} s`);
  }

  async call(order: Order): Promise<string> {
    return (await this.ask<Made>("POST", "/makecall", order)).callid;
  }

  private async ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.base}/crmapi/v1${path}`, {
      method,
      headers: { "X-API-KEY": this.key, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Answer;
  }
}

export function told(command: Command): string {
  switch (command.cmd) {
    case "event":
      return `${command.type} ${command.phone} at ${command.user}`;
    case "history":
      return `${command.status} ${command.phone} after ${command.duration.toFixed()} s`;
    case "rating":
      return `${command.user} got ${command.rating.toFixed()}`;
    case "contact":
      return `who is ${command.phone}?`;
    case "webhook":
      return `${command.type} ${JSON.stringify(command.data)}`;
  }
}
