import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pencil, Trash2, Users } from "lucide-react";
import { type FormEvent, useState } from "react";
import { messageOf } from "../api/client";
import { api } from "../api/endpoints";
import type { Group } from "../api/types";
import { TextArea, TextField } from "./kit/fields";
import { Button, EmptyState, ErrorState, IconButton, Loading, Note, TableScroll } from "./kit/kit";
import { useToast } from "./kit/toast";

/** The groups that one owns, with a form to change them, and those that one is in. */
export function GroupsSection() {
  const groups = useQuery({ queryKey: ["groups"], queryFn: api.groups });
  const [changing, setChanging] = useState<Group | null>(null);
  const queries = useQueryClient();
  const toast = useToast();
  const remove = useMutation({
    mutationFn: api.removeGroup,
    onError: (error) => toast(messageOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["groups"] }),
  });
  if (groups.isPending) return <Loading label="Loading your groups" />;
  if (groups.isError) return <ErrorState error={groups.error} retry={() => void groups.refetch()} />;
  return (
    <div className="columns">
      <section className="stack" aria-labelledby="groups">
        <h2 id="groups">Groups</h2>
        {groups.data.length === 0 ? (
          <EmptyState icon={Users} title="No group yet">
            A group gets a role in a dataset at once, on its tab People. Whoever you add or take out gains or loses it
            everywhere.
          </EmptyState>
        ) : (
          <TableScroll label="Groups" card>
            <table className="table">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">People</th>
                  <th scope="col">
                    <span className="sr-only">Change</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {groups.data.map((group) => (
                  <tr key={group.id}>
                    <td>
                      <b>{group.name}</b>
                      {!group.mine && (
                        <>
                          <br />
                          <span className="muted small">of {group.owner}</span>
                        </>
                      )}
                    </td>
                    <td>{group.people.join(", ") || "nobody yet"}</td>
                    <td className="number nowrap">
                      {group.mine && (
                        <>
                          <IconButton
                            icon={Pencil}
                            look="quiet"
                            size="small"
                            label={`Change ${group.name}`}
                            onClick={() => setChanging(group)}
                          />
                          <IconButton
                            icon={Trash2}
                            look="quiet"
                            size="small"
                            label={`Delete ${group.name}`}
                            disabled={remove.isPending}
                            onClick={() => remove.mutate(group.id)}
                          />
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </TableScroll>
        )}
      </section>
      <GroupForm key={changing?.id ?? "new"} group={changing} done={() => setChanging(null)} />
    </div>
  );
}

function GroupForm({ group, done }: { group: Group | null; done: () => void }) {
  const [name, setName] = useState(group?.name ?? "");
  const [people, setPeople] = useState(group?.people.join("\n") ?? "");
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), people: people.split(/[\s,]+/).filter((one) => one !== "") };
      return group ? api.changeGroup(group.id, body) : api.makeGroup(body);
    },
    onSuccess: () => {
      setName("");
      setPeople("");
      void queries.invalidateQueries({ queryKey: ["groups"] });
      done();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form className="card card--pad stack" onSubmit={submit}>
      <h2>{group ? `Change ${group.name}` : "New group"}</h2>
      {save.isError && <Note tone="bad">{messageOf(save.error)}</Note>}
      <TextField label="Name of the group" required maxLength={100} value={name} onChange={setName} />
      <TextArea
        label="People"
        hint="User names, one on each line."
        rows={5}
        autoCapitalize="none"
        value={people}
        onChange={setPeople}
      />
      <div className="row">
        <Button type="submit" icon={Users} busy={save.isPending}>
          {group ? "Save" : "Make the group"}
        </Button>
        {group && (
          <Button look="quiet" onClick={done}>
            Cancel
          </Button>
        )}
      </div>
    </form>
  );
}
