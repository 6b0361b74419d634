"""The rows of the sample site: 20,000 of them, the same ones each time."""

import hashlib
import random
from dataclasses import dataclass, field

BUILD = 9111
ROWS = 20_000
PAGES, HISTORY, COMMENTS, DRAFTS, USERS, SPACES = 1200, 1300, 700, 60, 40, 12
IN_V4, IN_VER003, IN_TRASH = 200, 20, 8
_WORDS = "vault ledger wiki köln naïve 手順 tide lamp river stone copper sail orbit quartz amber north".split()
_TYPES = [("png", "image/png"), ("pdf", "application/pdf"), ("txt", "text/plain"), ("html", "text/html"),
          ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")]


@dataclass
class Attachment:
    """A row of type ATTACHMENT, of any version, and where its file is."""

    original: int
    version: int
    page: int
    space: int
    size: int
    moved: bool  # to layout v4


@dataclass
class Site:
    """Tables as lists of {column: value}, and the files that they refer to."""

    dice: random.Random = field(default_factory=lambda: random.Random(4))
    tables: dict[str, list[dict]] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    next_id: int = 1_048_577

    def add(self, table: str, **row: object) -> int:
        self.tables.setdefault(table, []).append(row)
        self.next_id += 1
        return self.next_id - 1

    def count(self) -> int:
        return sum(len(rows) for rows in self.tables.values())

    def words(self, count: int) -> str:
        return " ".join(self.dice.choice(_WORDS) for _ in range(count))

    def time(self) -> str:
        return f"2025-{self.dice.randint(1, 12):02}-{self.dice.randint(1, 28):02} 10:{self.dice.randint(10, 59)}:00.{self.dice.randint(100, 999)}"

    def user(self) -> str:
        return self.dice.choice(self.tables["user_mapping"])["user_key"]

    def content(self, kind: str, **row: object) -> int:
        title = row.get("title")
        row = {"version": 1, "content_status": "current", "creator": self.user(), "lastmodifier": self.user()} | row
        self.add("content", contentid=self.next_id, contenttype=kind, lowertitle=title and str(title).lower(),
                 creationdate=self.time(), lastmoddate=self.time(), **row)
        return self.next_id - 1

    def property(self, name: str, content: int | None, **value: object) -> None:
        self.add("contentproperties", propertyid=self.next_id, propertyname=name, contentid=content, **value)

    def body(self, content: int, kind: int = 2) -> None:
        text = f"<p>{self.words(self.dice.randint(100, 420))}</p>\n<pre>C:\\temp\\.\t'{self.words(3)}'\n\\.\n</pre>"
        self.add("bodycontent", bodycontentid=self.next_id, body=text, contentid=content, bodytypeid=kind)


def site() -> Site:
    """All of it."""
    made = Site()
    _instance(made)
    _people(made)
    spaces = _spaces(made)
    pages = _pages(made, spaces)
    drafts = _drafts(made, pages)
    _attachments(made, pages, drafts)
    _comments(made, pages)
    _editing(made, pages)
    _permissions(made, spaces, pages)
    _jobs(made)
    return made


def _instance(made: Site) -> None:
    made.add("confversion", confversionid=1, buildnumber=BUILD, installdate=made.time(), finalized="Y")
    made.add("clustersafety", clustersafetyid=1, safetynumber=1864213011)
    for _ in range(51):
        made.add("hibernate_unique_key", next_hi=33)
    settings = ("<settings>\n  <baseUrl>https://wiki.example.org</baseUrl>\n"
                "  <attachmentDataStore>file.system.based.attachments.storage</attachmentDataStore>\n</settings>")
    values = {"atlassian.confluence.settings": settings, "confluence.server.id": "BFX0-TEST-ONLY-9204",
              "plugin.manager.state.Map": "<map/>", "AO_92296B_#": "<string>4</string>"}
    for key, value in values.items():
        made.add("bandana", bandanaid=made.next_id, bandanacontext="_GLOBAL", bandanakey=key, bandanavalue=value)
    made.add("SECRETS", key="synchrony-key", value=hashlib.sha256(b"sample").hexdigest())


def _people(made: Site) -> None:
    directory = made.next_id
    made.add("cwd_directory", id=directory, directory_name="Confluence Internal Directory",
             lower_directory_name="confluence internal directory", created_date=made.time(), updated_date=made.time(),
             active="T", impl_class="com.example.InternalDirectory", lower_impl_class="com.example.internaldirectory",
             directory_type="INTERNAL")
    made.add("cwd_directory_attribute", directory_id=directory, attribute_name="user_encryption_method",
             attribute_value="atlassian-security")
    for number in range(USERS):
        name, key = f"User{number:02}", hashlib.md5(b"user %d" % number).hexdigest()
        made.add("user_mapping", user_key=key, username=name, lower_username=name.lower())
        made.add("cwd_user", id=made.next_id, user_name=name, lower_user_name=name.lower(), active="T",
                 created_date=made.time(), updated_date=made.time(), directory_id=directory,
                 credential="{PKCS5S2}" + hashlib.sha1(name.encode()).hexdigest())
        for setting in ("confluence.user.site.homepage", "confluence.prefs.watch.my.own.content"):
            made.add("os_propertyentry", entity_name=f"USERPROPS-{key}", entity_id=0, entity_key=setting, key_type=1,
                     boolean_val=made.dice.choice("tf"))


def _spaces(made: Site) -> list[int]:
    spaces = [131073 + 32768 * number for number in range(SPACES)]
    for number, space in enumerate(spaces):
        key = ["DS", "ops", "Köln"][number] if number < 3 else f"SP{number}"
        description = made.content("SPACEDESCRIPTION", spaceid=space, version=2)
        made.content("SPACEDESCRIPTION", prevver=description)  # a historical row loses its space
        made.body(description, 0)
        made.add("spaces", spaceid=space, spacename=f"Space {key}", spacekey=key, lowerspacekey=key.lower(),
                 spacedescid=description, creator=made.user(), spacetype="global", spacestatus="CURRENT")
        made.add("bandana", bandanaid=made.next_id, bandanacontext=key, bandanakey="trash.date.migration.time",
                 bandanavalue="<long>1740000000000</long>")
    made.content("GLOBALDESCRIPTION")
    return spaces


def _pages(made: Site, spaces: list[int]) -> list[tuple[int, int]]:
    pages: list[tuple[int, int]] = []
    tops: dict[int, int] = {}
    for number in range(PAGES):
        space = spaces[number % SPACES]
        parent = tops.get(space)
        page = made.content("PAGE", title=f"{made.words(2)} {number}", spaceid=space, parentid=parent,
                            child_position=number, version=made.dice.randint(1, 4))
        if parent is None:
            tops[space] = page
            next(row for row in made.tables["spaces"] if row["spaceid"] == space)["homepage"] = page
        else:
            made.add("confancestors", descendentid=page, ancestorposition=0, ancestorid=parent)
        made.body(page)
        made.property("editor", page, stringval="v2")
        pages.append((page, space))
    for page, _ in made.dice.choices(pages, k=HISTORY):  # some versions have a row, many have none
        made.body(made.content("PAGE", title=made.words(2), prevver=page))
    for number in range(30):
        made.body(made.content("PAGE", title=f"thrown away {number}", spaceid=spaces[number % SPACES], content_status="trashed"))
    return pages


def _drafts(made: Site, pages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    drafts = []
    for number in range(DRAFTS):
        parent, space = pages[number * 7]
        draft = made.content("PAGE", content_status="draft", spaceid=space, parentid=parent)
        made.property("share-id", draft, stringval=hashlib.md5(b"%d" % draft).hexdigest())
        drafts.append((draft, space))
    return drafts


def _attachments(made: Site, pages: list[tuple[int, int]], drafts: list[tuple[int, int]]) -> None:
    logo = made.tables["spaces"][0]
    owners = [(logo["spacedescid"], logo["spaceid"])] + drafts[:15] + [pages[5 * n] for n in range(IN_V4 + IN_VER003 - 16)]
    for number, (owner, space) in enumerate(owners):
        moved = number < IN_V4
        versions = 1 + number % 4 if number % 3 == 0 else 1
        status = "trashed" if IN_V4 - IN_TRASH <= number < IN_V4 else "current"
        ending, media = _TYPES[number % len(_TYPES)]
        title = f"{made.words(2)} {number}.{ending}"
        newest = made.content("ATTACHMENT", title=title, pageid=owner, spaceid=space, version=versions, content_status=status,
                              creator=None if number % 20 == 1 else made.user())
        _file(made, newest, Attachment(newest, versions, owner, space, _size(made, number), moved), media)
        if number % 12 == 0:
            continue  # version N does not promise N rows, nor N files
        for version in range(1, versions):
            old = made.content("ATTACHMENT", title=title, pageid=owner, prevver=newest, version=version)
            _file(made, old, Attachment(newest, version, owner, space, _size(made, number), moved), media)


def _size(made: Site, number: int) -> int:
    special = {7: 0, 8: 3 << 20}
    return special[number] if number in special else made.dice.randint(200, 60_000)


def _file(made: Site, row: int, attachment: Attachment, media: str) -> None:
    made.attachments.append(attachment)
    made.property("FILESIZE", row, longval=attachment.size)
    made.property("MEDIA_TYPE", row, stringval=media)
    made.property("MINOR_EDIT", row, longval=0)
    if row % 2:
        made.property("HIDDEN", row, longval=0)
    if row % 40 == 0:
        made.property("MINOR_EDIT", row, longval=0)  # a content's property name is not unique
    if media.startswith("image/"):
        made.add("imagedetails", attachmentid=row, height=480, width=640, mimetype="image/pjpeg" if row % 9 == 0 else media)


def _comments(made: Site, pages: list[tuple[int, int]]) -> None:
    for number in range(COMMENTS):
        made.body(made.content("COMMENT", pageid=made.dice.choice(pages)[0]))
    for attachment in made.attachments[:8]:
        made.body(made.content("COMMENT", pageid=attachment.original))
    for number in range(40):
        made.property("orphan", None, stringval=f"of nothing {number}")


def _editing(made: Site, pages: list[tuple[int, int]]) -> None:
    for number in range(300):
        page = pages[number][0]
        blob = "\\x" + made.dice.randbytes(made.dice.randint(40, 900)).hex()
        made.add("EVENTS", rev=f"r{number}", history=f"/Synchrony-{page}", partition=0, sequence=number, event=blob,
                 contentid=page, inserted=made.time())
        if number % 5 == 0:
            made.add("SNAPSHOTS", key=f"/Synchrony-{page}", value=blob, contentid=page, inserted=made.time())
        made.add("AO_21F425_MESSAGE_AO", CONTENT=f'{{"text": "{made.words(9)}"}}', ID=f"message-{number}")
        made.add("AO_88BB94_BATCH_NOTIFICATION", BATCHING_COLUMN=made.user(), ID=number + 1, PAYLOAD=made.words(30))
    for number in range(1500):
        page, space = made.dice.choice(pages)
        made.add("AO_92296B_AORECENTLY_VIEWED", CONTENT_ID=page, CONTENT_TYPE="page", ID=number + 1,
                 LAST_VIEW_DATE=made.time(), SPACE_KEY="DS", USER_KEY=made.user())


def _permissions(made: Site, spaces: list[int], pages: list[tuple[int, int]]) -> None:
    for space in spaces:
        for kind in ("VIEWSPACE", "EDITSPACE", "EXPORTSPACE", "SETSPACEPERMISSIONS"):
            made.add("spacepermissions", permid=made.next_id, spaceid=space, permtype=kind, permgroupname="confluence-users")
    for page, _ in pages[10:60]:
        held = made.add("content_perm_set", id=made.next_id, cont_perm_type="View", content_id=page)
        made.add("content_perm", id=made.next_id, cp_type="View", username=made.user(), cps_id=held)
    labels = [made.add("label", labelid=made.next_id, name=f"label-{number}", namespace="global") for number in range(25)]
    for number in range(400):
        page = pages[number][0]
        made.add("content_label", id=made.next_id, labelid=labels[number % 25], contentid=page, labelableid=page,
                 labelabletype="CONTENT", owner=made.user())


def _jobs(made: Site) -> None:
    for number in range(600):
        made.add("journalentry", entry_id=number + 1, journal_name=("main_index", "change_index", "edge_index")[number % 3],
                 creationdate=made.time(), type="UPDATE_DOCUMENT", message=f"com.example.Page-{number}")
    for number in range(ROWS - made.count()):  # the table that grows and grows
        made.add("scheduler_run_details", id=number + 1, job_id=f"job-{number % 30}", start_time=made.time(),
                 duration=made.dice.randint(1, 900), outcome="S" if number % 50 else "A")
