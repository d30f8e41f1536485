import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2, Users } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Role } from "../../api/types";
import { SelectField } from "../kit/fields";
import { counted } from "../kit/format";
import { Button, ErrorState, IconButton, Loading, Note, TableScroll } from "../kit/kit";
import { useToast } from "../kit/toast";
import { mayLead, useDataset } from "./DatasetPage";
import { RoleOptions } from "./roles";

/** The groups that have a role in the dataset. */
export function GroupSection() {
  const dataset = useDataset();
  const lead = mayLead(dataset);
  const toast = useToast();
  const changed = useMembersChanged();
  const groups = useQuery({ queryKey: ["dataset-groups", dataset.id], queryFn: () => api.datasetGroups(dataset.id) });
  const remove = useMutation({
    mutationFn: (group: number) => api.removeGroupRole(dataset.id, group),
    onError: (error) => toast(messageOf(error)),
    onSettled: changed,
  });
  if (groups.isPending) return <Loading label="Loading groups" />;
  if (groups.isError) return <ErrorState error={groups.error} retry={() => void groups.refetch()} />;
  if (groups.data.length === 0) return null;
  return (
    <section className="stack" aria-labelledby="groups">
      <h2 id="groups">Groups</h2>
      <TableScroll label="Groups with a role" card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col">Role</th>
              {lead && (
                <th scope="col">
                  <span className="sr-only">Remove</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {groups.data.map((one) => (
              <tr key={one.group}>
                <td>
                  <b>{one.name}</b>
                  <br />
                  <span className="muted small">
                    {counted(one.people, "person", "people")}, chosen by {one.owner}
                  </span>
                </td>
                <td>{one.role}</td>
                {lead && (
                  <td className="number">
                    <IconButton
                      icon={Trash2}
                      look="quiet"
                      size="small"
                      label={`Take the role from ${one.name}`}
                      disabled={remove.isPending}
                      onClick={() => remove.mutate(one.group)}
                    />
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}

/** For leads: give one of their groups a role. */
export function AddGroup() {
  const dataset = useDataset();
  const changed = useMembersChanged();
  const mine = useQuery({ queryKey: ["groups"], queryFn: api.groups });
  const [group, setGroup] = useState("");
  const [role, setRole] = useState<Role>("annotator");
  const give = useMutation({
    mutationFn: () => api.giveGroupRole(dataset.id, Number(group), role),
    onSuccess: changed,
  });
  if (!mine.data) return null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give.mutate();
  };
  return (
    <form className="card card--pad stack" onSubmit={submit}>
      <h2>Add a group</h2>
      {give.isError && <Note tone="bad">{messageOf(give.error)}</Note>}
      {mine.data.length === 0 ? (
        <p className="muted small">
          A group gives several people a role at once. You make groups under{" "}
          <Link to="/account">Account, groups and tokens</Link>.
        </p>
      ) : (
        <>
          <SelectField
            label="Group"
            hint="Everybody in it has the strongest role that they are given."
            required
            value={group}
            onChange={setGroup}
          >
            <option value="">Choose a group</option>
            {mine.data.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name} ({counted(one.people.length, "person", "people")})
              </option>
            ))}
          </SelectField>
          <SelectField label="Role of the group" value={role} onChange={setRole}>
            <RoleOptions />
          </SelectField>
          <Button type="submit" icon={Users} busy={give.isPending}>
            Give the role
          </Button>
        </>
      )}
    </form>
  );
}

function useMembersChanged(): () => void {
  const dataset = useDataset();
  const queries = useQueryClient();
  return () => {
    void queries.invalidateQueries({ queryKey: ["members", dataset.id] });
    void queries.invalidateQueries({ queryKey: ["dataset-groups", dataset.id] });
  };
}
