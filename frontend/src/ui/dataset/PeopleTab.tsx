import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { UserCheck, UserPlus, UserX } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { Member, Role } from "../../api/types";
import { CardForm, SelectField, TextField } from "../kit/fields";
import { Badge, Button, ErrorState, IconButton, Loading, TableScroll } from "../kit/kit";
import { RemoveButton } from "../kit/RemoveButton";
import { keysOf, useChange } from "../kit/useChange";
import { useUser } from "../session";
import { mayLead, useDataset } from "./DatasetPage";
import { AddGroup, GroupSection } from "./GroupSection";
import { InviteSection } from "./InviteSection";
import { ROLES, RoleOptions } from "./roles";

export function PeopleTab() {
  const dataset = useDataset();
  const lead = mayLead(dataset);
  const members = useQuery({ queryKey: ["members", dataset.id], queryFn: () => api.members(dataset.id) });
  if (members.isPending) return <Loading label="Loading people" />;
  if (members.isLoadingError) return <ErrorState error={members.error} retry={() => void members.refetch()} />;
  return (
    <div className="columns">
      <section className="stack">
        <h2>People</h2>
        <TableScroll label="People of the dataset" card>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                {lead && (
                  <th scope="col">
                    <span className="sr-only">Remove</span>
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {members.data.map((member) => (
                <MemberRow key={member.id} member={member} lead={lead} />
              ))}
            </tbody>
          </table>
        </TableScroll>
        <GroupSection />
      </section>
      <section className="stack">
        {lead && <InviteSection />}
        {lead && <AddMember />}
        {lead && <AddGroup />}
        <div className="stack stack--small">
          <h3>What the roles may do</h3>
          {ROLES.map((role) => (
            <p key={role.id} className="muted small">
              <b>{role.id}</b>: {role.may}
            </p>
          ))}
        </div>
      </section>
    </div>
  );
}

function MemberRow({ member, lead }: { member: Member; lead: boolean }) {
  const dataset = useDataset();
  const user = useUser();
  // The dataset too: the change may be to one's own role, on which hangs what the page offers.
  const keys = keysOf(dataset.id, "members", "dataset");
  const change = useChange((role: Role) => api.changeMember(dataset.id, member.id, { role }), keys);
  const graduate = useChange((graduated: boolean) => api.changeMember(dataset.id, member.id, { graduated }), keys);
  const activate = useChange((active: boolean) => api.changeMember(dataset.id, member.id, { active }), keys);
  const remove = useChange(() => api.removeMember(dataset.id, member.id), keys);
  return (
    <tr>
      <td>
        <b>{member.name || member.username}</b> {member.username === user.username && <Badge>you</Badge>}{" "}
        {!member.active && <Badge tone="warn">closed to them</Badge>}
        <Training
          training={member.training}
          lead={lead}
          busy={graduate.isPending}
          graduate={() => graduate.mutate(!member.training.graduated)}
        />
      </td>
      <td>
        {lead ? (
          <select
            className="input"
            aria-label={`Role of ${member.username}`}
            value={member.own_role || member.role}
            disabled={change.isPending}
            onChange={(event) => change.mutate(event.target.value as Role)}
          >
            <RoleOptions />
          </select>
        ) : (
          member.role
        )}
        {member.own_role !== null && <ByGroup member={member} />}
      </td>
      {lead && (
        <td className="number nowrap">
          <IconButton
            icon={member.active ? UserX : UserCheck}
            look="quiet"
            size="small"
            label={
              member.active ? `Close the dataset to ${member.username}` : `Open the dataset to ${member.username} again`
            }
            disabled={activate.isPending}
            onClick={() => activate.mutate(!member.active)}
          />
          <RemoveButton
            label={`Remove ${member.username}`}
            verb="Remove"
            disabled={remove.isPending}
            onRemove={() => remove.mutate()}
          >
            {member.username} cannot open this dataset any more, unless a group of theirs may. Their masks stay.
          </RemoveButton>
        </td>
      )}
    </tr>
  );
}

/** What comes of a group is said apart from a person's own role. */
function ByGroup({ member }: { member: Member }) {
  const stands = member.own_role === member.role ? "as by a group" : `${member.role} by a group`;
  return <div className="muted small">{member.own_role === "" ? "by a group alone" : stands}</div>;
}

interface TrainingProps {
  training: Member["training"];
  lead: boolean;
  busy: boolean;
  graduate: () => void;
}

/** Where somebody stands with the training queue; nothing where none is asked for. */
function Training({ training, lead, busy, graduate }: TrainingProps) {
  if (training.asked === 0) return null;
  const { done, asked, mean_iou, graduated } = training;
  return (
    <div className="row">
      <span className="muted small">
        {graduated ? "training passed" : `in training: ${done} of ${asked} pictures`}
        {mean_iou !== null && `, mean IoU ${mean_iou.toFixed(2)}`}
      </span>
      {lead && (
        <Button size="small" look="quiet" busy={busy} onClick={graduate}>
          {graduated ? "Train again" : "Pass"}
        </Button>
      )}
    </div>
  );
}

function AddMember() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const [username, setUsername] = useState("");
  const [role, setRole] = useState<Role>("annotator");
  const add = useMutation({
    mutationFn: () => api.addMember(dataset.id, username.trim(), role),
    onSuccess: () => {
      setUsername("");
      void queries.invalidateQueries({ queryKey: ["members", dataset.id] });
    },
  });
  return (
    <CardForm title="Add a person" error={add.error} submit={() => add.mutate()}>
      <TextField label="User name" required autoCapitalize="none" value={username} onChange={setUsername} />
      <SelectField label="Role" value={role} onChange={setRole}>
        <RoleOptions />
      </SelectField>
      <Button type="submit" icon={UserPlus} busy={add.isPending}>
        Add
      </Button>
    </CardForm>
  );
}
