import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2, X } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { Invitation, Role } from "../../api/types";
import { CardForm, NumberField, SelectField, TextField } from "../kit/fields";
import { ago, counted } from "../kit/format";
import { Badge, Button, ErrorState, IconButton } from "../kit/kit";
import { useChange } from "../kit/useChange";
import { CopyField } from "./CopyField";
import { useDataset } from "./DatasetPage";
import { RoleOptions } from "./roles";

/** Links by which people come in, and the form that makes one. */
export function InviteSection() {
  const dataset = useDataset();
  const invitations = useQuery({
    queryKey: ["invitations", dataset.id],
    queryFn: () => api.invitations(dataset.id),
  });
  const open = (invitations.data ?? []).filter((one) => one.open);
  return (
    <>
      <InviteForm />
      {invitations.isLoadingError && <ErrorState error={invitations.error} retry={() => void invitations.refetch()} />}
      {open.length > 0 && (
        <section className="stack stack--small" aria-labelledby="links">
          <h3 id="links">Open invitations</h3>
          <ul className="card plain-list">
            {open.map((one) => (
              <OpenInvitation key={one.id} invitation={one} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function OpenInvitation({ invitation }: { invitation: Invitation }) {
  const dataset = useDataset();
  const revoke = useChange(() => api.revokeInvitation(dataset.id, invitation.id), [["invitations", dataset.id]]);
  return (
    <li className="row plain-list__item">
      <span className="grow">
        <Badge>{invitation.role}</Badge> {invitation.note && <b>{invitation.note}</b>}
        <br />
        <span className="muted small">
          by {invitation.created_by ?? "somebody"}, for {counted(invitation.uses_left, "person", "people")} more, ends{" "}
          {ago(invitation.expires_at)}
        </span>
      </span>
      <IconButton
        icon={X}
        look="quiet"
        size="small"
        label={`Take back the invitation ${invitation.note || `as ${invitation.role}`}`}
        disabled={revoke.isPending}
        onClick={() => revoke.mutate()}
      />
    </li>
  );
}

function InviteForm() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const [role, setRole] = useState<Role>("annotator");
  const [uses, setUses] = useState(1);
  const [days, setDays] = useState(7);
  const [note, setNote] = useState("");
  const create = useMutation({
    mutationFn: () => api.invite(dataset.id, { role, uses, days, note: note.trim() }),
    onSuccess: () => {
      setNote("");
      void queries.invalidateQueries({ queryKey: ["invitations", dataset.id] });
    },
  });
  return (
    <CardForm title="Invite by link" error={create.error} submit={() => create.mutate()}>
      <div className="fields fields--narrow">
        <SelectField label="As" value={role} onChange={setRole}>
          <RoleOptions />
        </SelectField>
        <NumberField label="People" min={1} max={1000} value={uses} onChange={setUses} />
        <NumberField label="Days" min={1} max={365} value={days} onChange={setDays} />
      </div>
      <TextField
        label="Note"
        hint="Optional, for you: who it is for."
        maxLength={200}
        value={note}
        onChange={setNote}
      />
      <Button type="submit" icon={Link2} busy={create.isPending}>
        Make a link
      </Button>
      {create.data && (
        <CopyField
          label="Link to send"
          value={`${window.location.origin}/join/${create.data.secret}`}
          hint="It is shown this once. Whoever has it can join."
        />
      )}
    </CardForm>
  );
}
