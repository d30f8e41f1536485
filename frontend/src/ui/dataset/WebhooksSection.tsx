import { useMutation, useQuery } from "@tanstack/react-query";
import { KeyRound, Send, Webhook as WebhookIcon } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Delivery, Webhook, WebhookEvent } from "../../api/types";
import { TextField } from "../kit/fields";
import { ago, counted } from "../kit/format";
import { Badge, Button, ErrorState, IconButton, Note, TableScroll } from "../kit/kit";
import { RemoveButton } from "../kit/RemoveButton";
import { keysOf, useAskAnew, useChange } from "../kit/useChange";
import { CopyField } from "./CopyField";
import { useDataset } from "./DatasetPage";

const EVENTS: { id: WebhookEvent; label: string }[] = [
  { id: "mask.saved", label: "A person saved a mask" },
  { id: "mask.deleted", label: "A person deleted a mask" },
  { id: "job.ended", label: "A job ended" },
];

/** Other programs that are told what happens here, and what became of each message. */
export function WebhooksSection() {
  const dataset = useDataset();
  const webhooks = useQuery({
    queryKey: ["webhooks", dataset.id],
    queryFn: () => api.webhooks(dataset.id),
    refetchInterval: (query) => (query.state.data?.some((one) => one.active && one.waiting > 0) ? 2000 : false),
  });
  return (
    <section className="stack" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      <p className="muted">
        Another program is told, by a signed HTTP request, when masks are saved and jobs end. docs/webhooks.md says what
        a message holds and how its signature is checked.
      </p>
      {webhooks.isLoadingError && <ErrorState error={webhooks.error} retry={() => void webhooks.refetch()} />}
      {(webhooks.data ?? []).map((one) => (
        <WebhookCard key={one.id} webhook={one} />
      ))}
      {webhooks.data && <WebhookForm />}
    </section>
  );
}

const shownKeys = (dataset: number) => keysOf(dataset, "webhooks", "deliveries", "events");

function WebhookCard({ webhook }: { webhook: Webhook }) {
  const dataset = useDataset();
  const keys = shownKeys(dataset.id);
  const change = useChange(
    (body: { url?: string; events?: WebhookEvent[]; active?: boolean; new_secret?: boolean }) =>
      api.changeWebhook(dataset.id, webhook.id, body),
    keys,
  );
  const remove = useChange(() => api.removeWebhook(dataset.id, webhook.id), keys);
  const test = useChange(() => api.testWebhook(dataset.id, webhook.id), keys);
  return (
    <article className="card card--pad stack" aria-label={`Webhook to ${webhook.url}`}>
      <p>
        <WebhookState webhook={webhook} />
      </p>
      <div className="row">
        <Button size="small" disabled={change.isPending} onClick={() => change.mutate({ active: !webhook.active })}>
          {webhook.active ? "Switch off" : "Switch on"}
        </Button>
        <Button size="small" icon={Send} busy={test.isPending} disabled={!webhook.active} onClick={() => test.mutate()}>
          Send a test
        </Button>
        <IconButton
          icon={KeyRound}
          look="quiet"
          size="small"
          label="Make another secret"
          onClick={() => change.mutate({ new_secret: true })}
        />
        <RemoveButton
          label="Remove this webhook"
          verb="Remove"
          disabled={remove.isPending}
          onRemove={() => remove.mutate()}
        >
          {webhook.url} hears nothing any more, and its secret is forgotten.
        </RemoveButton>
      </div>
      {webhook.problem && <Note tone={webhook.active ? "warn" : "bad"}>{problemText(webhook)}</Note>}
      {change.data?.secret && <Secret value={change.data.secret} />}
      <WebhookFields
        key={webhook.url}
        webhook={webhook}
        busy={change.isPending}
        label="Save"
        save={(url, events) => change.mutate({ url, events })}
      />
      <Deliveries webhook={webhook} />
    </article>
  );
}

function WebhookState({ webhook }: { webhook: Webhook }) {
  const waiting = webhook.waiting > 0 && `${counted(webhook.waiting, "message")} waiting`;
  return (
    <>
      {!webhook.active && <Badge tone="warn">Off</Badge>}
      {webhook.active && (webhook.failures ? <Badge tone="bad">Fails</Badge> : <Badge tone="good">On</Badge>)}{" "}
      <span className="muted small">{waiting || "nothing waiting"}</span>
    </>
  );
}

const problemText = ({ problem, retry_at }: Webhook): string =>
  retry_at ? `${problem} Next attempt at ${new Date(retry_at).toLocaleTimeString("en-GB")}.` : problem;

const Secret = ({ value }: { value: string }) => (
  <CopyField label="Secret" value={value} hint="It signs every message and is shown this once." />
);

function WebhookForm() {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const create = useMutation({
    mutationFn: (body: { url: string; events: WebhookEvent[] }) => api.makeWebhook(dataset.id, body),
    onSettled: () => askAnew(shownKeys(dataset.id)),
  });
  return (
    <div className="card card--pad stack">
      <h3>New webhook</h3>
      {create.isError && <Note tone="bad">{messageOf(create.error)}</Note>}
      <WebhookFields
        key={create.data?.id ?? 0}
        busy={create.isPending}
        label="Add the webhook"
        save={(url, events) => create.mutate({ url, events })}
      />
      {create.data?.secret && <Secret value={create.data.secret} />}
    </div>
  );
}

interface FieldsProps {
  webhook?: Webhook;
  busy: boolean;
  label: string;
  save: (url: string, events: WebhookEvent[]) => void;
}

function WebhookFields({ webhook, busy, label, save }: FieldsProps) {
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState<WebhookEvent[]>(webhook?.events ?? EVENTS.map((one) => one.id));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save(url.trim(), events);
  };
  const toggle = (id: WebhookEvent) =>
    setEvents(events.includes(id) ? events.filter((one) => one !== id) : [...events, id]);
  return (
    <form className="stack stack--small" onSubmit={submit}>
      <TextField
        label="Address"
        hint="https://…; public addresses only, unless the operator allows others."
        type="url"
        required
        maxLength={2000}
        placeholder="https://example.org/anymask"
        value={url}
        onChange={setUrl}
      />
      <fieldset className="checks">
        <legend className="field__label">Tell it when</legend>
        {EVENTS.map((one) => (
          <label key={one.id} className="row">
            <input type="checkbox" checked={events.includes(one.id)} onChange={() => toggle(one.id)} />
            {one.label}
          </label>
        ))}
      </fieldset>
      <div className="row">
        <Button type="submit" busy={busy} disabled={events.length === 0} icon={webhook ? undefined : WebhookIcon}>
          {label}
        </Button>
      </div>
    </form>
  );
}

function Deliveries({ webhook }: { webhook: Webhook }) {
  const dataset = useDataset();
  const deliveries = useQuery({
    queryKey: ["deliveries", dataset.id, webhook.id, webhook.waiting],
    queryFn: () => api.deliveries(dataset.id, webhook.id),
    placeholderData: (before) => before,
    refetchInterval: webhook.active && webhook.waiting > 0 ? 2000 : false,
  });
  const rows = deliveries.data ?? [];
  if (rows.length === 0) return <p className="muted small">No message yet.</p>;
  return (
    <TableScroll label="Messages">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Made</th>
            <th scope="col">Message</th>
            <th scope="col">State</th>
            <th scope="col">Attempts</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <td className="muted small">{ago(row.created_at)}</td>
              <td>{row.event}</td>
              <td>{stateText(row)}</td>
              <td>{row.attempts}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function stateText(row: Delivery): string {
  if (row.delivered_at) return `delivered, answer ${row.status_code}`;
  return row.problem ? `waiting: ${row.problem}` : "waiting";
}
