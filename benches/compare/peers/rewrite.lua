-- On-prem texts to Cloud and Cloud's answers back, in as few steps as Lua takes for it. It checks nothing that
-- prembridge checks beyond the token: no limits, no other types, no errors.

local cjson = require("cjson.safe")

local rewrite = {}

local function refuse(status, code, title)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.print(cjson.encode({ errors = { { code = code, title = title } } }))
    return ngx.exit(status)
end

function rewrite.request(client_token, graph_token)
    if ngx.var.http_authorization ~= "Bearer " .. client_token then
        return refuse(401, 1005, "Access denied")
    end
    ngx.req.read_body()
    local message = cjson.decode(ngx.req.get_body_data() or "")
    if type(message) ~= "table" then
        return refuse(400, 1007, "Request not valid")
    end
    message.messaging_product = "whatsapp"
    if message.preview_url ~= nil then
        if type(message.text) == "table" then
            message.text.preview_url = message.preview_url
        end
        message.preview_url = nil
    end
    ngx.req.set_header("Authorization", "Bearer " .. graph_token)
    ngx.req.set_body_data(cjson.encode(message))
end

function rewrite.head()
    if ngx.status == 200 then
        ngx.ctx.pieces = {}
        ngx.status = 201
        ngx.header.content_length = nil
    end
end

function rewrite.body()
    local pieces = ngx.ctx.pieces
    if not pieces then
        return
    end
    pieces[#pieces + 1] = ngx.arg[1]
    ngx.arg[1] = nil
    if ngx.arg[2] then
        local answer = cjson.decode(table.concat(pieces))
        answer.messaging_product = nil
        answer.meta = { api_status = "stable", version = "2.45.1" }
        ngx.arg[1] = cjson.encode(answer)
    end
end

return rewrite
